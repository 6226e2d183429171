"""DETRs small enough to be trained in a test: the same classes, other numbers."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import (
    DFineForObjectDetection,
    LwDetrForObjectDetection,
    RfDetrForObjectDetection,
    RTDetrV2ForObjectDetection,
)

from podura.detectors import transformers_configurations as configurations
from podura.detectors.transformers_adapter import EncoderQueries, LearnedQueries, TransformersDetector

_SMALL_ENCODER = {
    "d_model": 64,
    "encoder_hidden_dim": 64,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "decoder_layers": 2,
}
_SMALL_DECODER = {
    "d_model": 64,
    "decoder_ffn_dim": 128,
    "decoder_self_attention_heads": 4,
    "decoder_cross_attention_heads": 4,
    "decoder_layers": 2,
    "group_detr": 2,
}


def _put(configuration, **values):
    for name, value in values.items():
        setattr(configuration, name, value)


def dfine_tiny(species: Sequence[str], **values: object) -> EncoderQueries:
    configuration = configurations.dfine("n", len(species))
    _put(
        configuration.backbone_config,
        hidden_sizes=[16, 32, 64, 64],
        stem_channels=[3, 8, 8],
        stage_in_channels=[8, 16, 32, 64],
        stage_mid_channels=[8, 8, 16, 16],
        stage_out_channels=[16, 32, 64, 64],
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=[2, 2, 2, 2],
    )
    channels = {"encoder_in_channels": [64, 64], "decoder_in_channels": [64, 64]}
    _put(configuration, **{**_SMALL_ENCODER, **channels, **values})
    return EncoderQueries(species, DFineForObjectDetection(configuration))


def rtdetrv2_tiny(species: Sequence[str], **values: object) -> EncoderQueries:
    configuration = configurations.rtdetrv2("r18", len(species))
    _put(configuration.backbone_config, hidden_sizes=[16, 32, 32, 64], depths=[1, 1, 1, 1], embedding_size=16)
    channels = {"encoder_in_channels": [32, 32, 64], "decoder_in_channels": [64, 64, 64]}
    _put(configuration, **{**_SMALL_ENCODER, **channels, **values})
    return EncoderQueries(species, RTDetrV2ForObjectDetection(configuration), frozen_norms=True)


def lwdetr_tiny(species: Sequence[str], **values: object) -> LearnedQueries:
    configuration = configurations.lwdetr("tiny", len(species))
    _put(configuration.backbone_config, hidden_size=48, num_attention_heads=4)
    channels = {"projector_in_channels": [64], "projector_out_channels": 64, "num_queries": 30}
    _put(configuration, **{**_SMALL_DECODER, **channels, **values})
    return LearnedQueries(species, LwDetrForObjectDetection(configuration), square=False)


def rfdetr_tiny(species: Sequence[str], **values: object) -> LearnedQueries:
    configuration = configurations.rfdetr("nano", len(species))
    _put(configuration.backbone_config, hidden_size=48, num_attention_heads=4, image_size=128)
    _put(configuration, **{**_SMALL_DECODER, "num_queries": 30, **values})
    return LearnedQueries(species, RfDetrForObjectDetection(configuration), square=True)


TINY: dict[str, type[TransformersDetector]] = {
    "dfine": dfine_tiny,
    "rtdetrv2": rtdetrv2_tiny,
    "lwdetr": lwdetr_tiny,
    "rfdetr": rfdetr_tiny,
}
