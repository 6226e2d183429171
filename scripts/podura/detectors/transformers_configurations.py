"""The published configurations of DETR models, so that published weights fit; none is downloaded.

Sources: the authors' configurations (D-FINE: Peng et al. 2024, arXiv:2410.13842; RT-DETRv2: Lv et al.
2024, arXiv:2407.17140; LW-DETR: Chen et al. 2024, arXiv:2406.03459; RF-DETR: Robinson et al. 2025,
arXiv:2511.09554) as the converted checkpoints on the Hugging Face hub carry them.
"""

from __future__ import annotations

from typing import Any

from podura.detectors.transformers_offline import offline

with offline():
    from transformers import (
        DFineConfig,
        HGNetV2Config,
        LwDetrConfig,
        LwDetrViTConfig,
        RfDetrConfig,
        RfDetrDinov2Config,
        RTDetrResNetConfig,
        RTDetrV2Config,
    )

# Authors' code starts scores at 1 % whatever the number of classes; transformers at 1 / (classes + 1),
# which for a study of one species were 50 %. Heads of decoder layers are apart, as in the checkpoints;
# transformers would tie them. Normalisation is frozen by the adapter, only with pre-trained weights.
_ENCODER_SELECTED: dict[str, Any] = {
    "initializer_bias_prior_prob": 0.01,
    "tie_word_embeddings": False,
    "freeze_backbone_batch_norms": False,
}

_HGNET: dict[str, dict[str, Any]] = {
    "b0": {
        "hidden_sizes": [128, 256, 512, 1024],
        "stem_channels": [3, 16, 16],
        "stage_in_channels": [16, 64, 256, 512],
        "stage_mid_channels": [16, 32, 64, 128],
        "stage_out_channels": [64, 256, 512, 1024],
        "stage_num_blocks": [1, 1, 2, 1],
        "stage_numb_of_layers": [3, 3, 3, 3],
        "use_learnable_affine_block": True,
    },
    "b2": {
        "hidden_sizes": [192, 384, 768, 1536],
        "stem_channels": [3, 24, 32],
        "stage_in_channels": [32, 96, 384, 768],
        "stage_mid_channels": [32, 64, 128, 256],
        "stage_out_channels": [96, 384, 768, 1536],
        "stage_num_blocks": [1, 1, 3, 1],
        "stage_numb_of_layers": [4, 4, 4, 4],
        "use_learnable_affine_block": True,
    },
    "b4": {
        "hidden_sizes": [256, 512, 1024, 2048],
        "stem_channels": [3, 32, 48],
        "stage_in_channels": [48, 128, 512, 1024],
        "stage_mid_channels": [48, 96, 192, 384],
        "stage_out_channels": [128, 512, 1024, 2048],
        "stage_num_blocks": [1, 1, 3, 1],
        "stage_numb_of_layers": [6, 6, 6, 6],
    },
    "b5": {
        "hidden_sizes": [256, 512, 1024, 2048],
        "stem_channels": [3, 32, 64],
        "stage_in_channels": [64, 128, 512, 1024],
        "stage_mid_channels": [64, 128, 256, 512],
        "stage_out_channels": [128, 512, 1024, 2048],
        "stage_num_blocks": [1, 2, 5, 2],
        "stage_numb_of_layers": [6, 6, 6, 6],
    },
}

_DFINE: dict[str, tuple[str, dict[str, Any]]] = {
    "n": (
        "b0",
        {
            "encoder_in_channels": [512, 1024],
            "feat_strides": [16, 32],
            "num_feature_levels": 2,
            "encode_proj_layers": [1],
            "d_model": 128,
            "encoder_hidden_dim": 128,
            "encoder_ffn_dim": 512,
            "decoder_ffn_dim": 512,
            "decoder_in_channels": [128, 128],
            "decoder_n_points": [6, 6],
            "decoder_layers": 3,
            "hidden_expansion": 0.34,
            "depth_mult": 0.5,
        },
    ),
    "s": (
        "b0",
        {
            "encoder_in_channels": [256, 512, 1024],
            "decoder_n_points": [3, 6, 3],
            "decoder_layers": 3,
            "hidden_expansion": 0.5,
            "depth_mult": 0.34,
        },
    ),
    "m": (
        "b2",
        {
            "encoder_in_channels": [384, 768, 1536],
            "decoder_n_points": [3, 6, 3],
            "decoder_layers": 4,
            "depth_mult": 0.67,
        },
    ),
    "l": ("b4", {"decoder_n_points": [3, 6, 3]}),
    "x": (
        "b5",
        {
            "encoder_hidden_dim": 384,
            "encoder_ffn_dim": 2048,
            "decoder_in_channels": [384, 384, 384],
            "decoder_n_points": [3, 6, 3],
            "reg_scale": 8.0,
        },
    ),
}

_BASIC = {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512]}
_RTDETRV2: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "r18": (
        {**_BASIC, "depths": [2, 2, 2, 2]},
        {"encoder_in_channels": [128, 256, 512], "hidden_expansion": 0.5, "decoder_layers": 3},
    ),
    "r34": (
        {**_BASIC, "depths": [3, 4, 6, 3]},
        {"encoder_in_channels": [128, 256, 512], "hidden_expansion": 0.5, "decoder_layers": 4},
    ),
    "r50": ({}, {}),
    "r101": (
        {"depths": [3, 4, 23, 3]},
        {"encoder_hidden_dim": 384, "encoder_ffn_dim": 2048, "decoder_in_channels": [384, 384, 384]},
    ),
}

_LWDETR_SMALL = {
    "num_hidden_layers": 10,
    "window_block_indices": [0, 1, 3, 6, 7, 9],
    "out_indices": [3, 5, 6, 10],
}
_LWDETR_TWO_SCALES = {
    "projector_scale_factors": [2.0, 0.5],
    "decoder_self_attention_heads": 12,
    "decoder_cross_attention_heads": 24,
    "decoder_n_points": 4,
    "d_model": 384,
}
_LWDETR: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tiny": (
        {
            "hidden_size": 192,
            "num_hidden_layers": 6,
            "window_block_indices": [0, 2, 4],
            "out_indices": [2, 4, 6],
        },
        {"num_queries": 100},
    ),
    "small": ({**_LWDETR_SMALL, "hidden_size": 192}, {}),
    "medium": ({**_LWDETR_SMALL, "hidden_size": 384}, {}),
    "large": ({**_LWDETR_SMALL, "hidden_size": 384}, _LWDETR_TWO_SCALES),
    "xlarge": ({**_LWDETR_SMALL, "hidden_size": 768}, _LWDETR_TWO_SCALES),
}

#: Side of the square images that the position table is made for, and layers of the decoder.
_RFDETR = {"nano": (384, 2), "small": (512, 3), "medium": (576, 4), "large": (704, 4)}


def dfine(size: str, species: int) -> DFineConfig:
    """D-FINE of size n, s, m, l or x for a number of species."""
    backbone, rest = _DFINE[size]
    levels = len(rest["decoder_n_points"])
    given: dict[str, Any] = {
        **_ENCODER_SELECTED,
        **rest,
        "num_labels": species,
        "backbone_config": HGNetV2Config(**{**_HGNET[backbone], "out_indices": [2, 3, 4][-levels:]}),
    }
    return DFineConfig(**given)


def rtdetrv2(depth: str, species: int) -> RTDetrV2Config:
    """RT-DETRv2 on a ResNet-vd of depth r18, r34, r50 or r101 for a number of species."""
    backbone, rest = _RTDETRV2[depth]
    given: dict[str, Any] = {
        **_ENCODER_SELECTED,
        **rest,
        "num_labels": species,
        "backbone_config": RTDetrResNetConfig(**{**backbone, "out_indices": [2, 3, 4]}),
    }
    return RTDetrV2Config(**given)


def lwdetr(size: str, species: int) -> LwDetrConfig:
    """LW-DETR of size tiny, small, medium, large or xlarge for a number of species."""
    backbone, rest = _LWDETR[size]
    given: dict[str, Any] = {
        "projector_scale_factors": [1.0],
        "decoder_n_points": 2,
        **rest,
        "num_labels": species,
        "backbone_config": LwDetrViTConfig(**backbone, image_size=1024, num_attention_heads=12),
    }
    return LwDetrConfig(**given)


def rfdetr(size: str, species: int) -> RfDetrConfig:
    """RF-DETR of size nano, small, medium or large (that of 2026) for a number of species."""
    side, layers = _RFDETR[size]
    backbone: dict[str, Any] = {
        "hidden_size": 384,
        "num_attention_heads": 6,
        "image_size": side,
        "patch_size": 16,
        "num_windows": 2,
        "out_features": ["stage3", "stage6", "stage9", "stage12"],
    }
    given: dict[str, Any] = {
        "decoder_layers": layers,
        "decoder_n_points": 2,
        "dropout": 0.0,
        "num_labels": species,
        "backbone_config": RfDetrDinov2Config(**backbone),
    }
    return RfDetrConfig(**given)
