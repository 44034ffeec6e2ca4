"""Tiny models of many architectures, from transformers' own configs: two layers, 32 dimensions, a window of 8 tokens.

Weights are four times as large as fresh ones, so that a wrong mask or position changes logits visibly.
"""

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

COMMON = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "moe_intermediate_size": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 0,
}
WINDOW = {"sliding_window": 8}
DECODER = {"is_decoder": True}
BART = {"decoder_ffn_dim": 64, "encoder_ffn_dim": 64, "decoder_layers": 2, "encoder_layers": 2}
BART |= {"decoder_attention_heads": 2, "encoder_attention_heads": 2}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
GEMMA3 = {name: value for name, value in COMMON.items() if "decoder" not in name} | {"num_key_value_heads": 1}
MAMBA2 = {"num_heads": 4, "head_dim": 16, "n_groups": 1, "expand": 2, "state_size": 8}

DENSE: dict[str, dict[str, Any]] = {
    **{
        name: {}
        for name in (
            *("apertus", "arcee", "biogpt", "bitnet", "bloom", "cohere", "diffllama", "doge"),
            *("ernie4_5", "gemma", "glm", "glm4", "gpt2", "gpt_bigcode", "gpt_neox", "gpt_neox_japanese"),
            *("granite", "helium", "hunyuan_v1_dense", "jais2", "llama", "ministral3", "mpt", "nanochat"),
            *("nemotron", "olmo", "olmo2", "openai-gpt", "persimmon", "phi", "phi3", "qwen2", "qwen3"),
            *("seed_oss", "smollm3", "stablelm", "starcoder2"),
        )
    },
    **dict.fromkeys(
        ("cohere2", "cwm", "exaone4", "gemma2", "gemma3_text", "ministral", "mistral", "olmo3", "vaultgemma"),
        WINDOW,
    ),
    "gemma3": {"text_config": GEMMA3 | WINDOW, "vision_config": VISION},
    "gpt_neo": {"num_layers": 2, "attention_types": [[["global", "local"], 1]], "window_size": 8},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "xglm": {"ffn_dim": 64},
    "codegen": {"num_attention_heads": 4, "rotary_dim": 4},
    "gptj": {"rotary_dim": 8},
    "bert": DECODER,
    "roberta": DECODER | {"max_position_embeddings": 300},
    "electra": DECODER,
    "roformer": DECODER,
}
EXPERTS: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("flex_olmo", "granitemoe", "jetmoe", "mixtral", "phimoe", "hunyuan_v1_moe")},
    "qwen2_moe": {"num_experts": 4, "num_experts_per_tok": 2, "shared_expert_intermediate_size": 32},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2},
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
    "llama4_text": {"intermediate_size_mlp": 32, "num_local_experts": 4, "attention_chunk_size": 8},
    "cohere2_moe": WINDOW,
}
RECURRENT: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("falcon_mamba", "mamba", "minimax", "olmo_hybrid", "rwkv")},
    "recurrent_gemma": {"attention_window_size": 8, "num_hidden_layers": 3, "lru_width": 32},
    "falcon_h1": {"mamba_d_ssm": 32, "mamba_n_heads": 2, "mamba_d_state": 8},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "mamba2": MAMBA2,
}
SEES_AHEAD: dict[str, dict[str, Any]] = {"bert": {"is_decoder": False}, "electra": {"is_decoder": False}}
ENCODER_DECODER: dict[str, dict[str, Any]] = {
    "t5": {"d_kv": 16, "d_ff": 64, "num_decoder_layers": 2},
    "mt5": {"d_kv": 16, "d_ff": 64, "num_decoder_layers": 2},
    "umt5": {"d_kv": 16, "d_ff": 64, "num_decoder_layers": 2},
    **dict.fromkeys(("bart", "mbart", "pegasus", "marian", "m2m_100", "blenderbot", "mvp", "plbart"), BART),
}


def build(name: str, changes: dict[str, Any], *, encoder_decoder: bool = False) -> Any:
    """A model of the architecture with the same weights each time, in evaluation mode."""
    kind = CONFIG_MAPPING[name]
    needed = ("decoder_start_token_id", "bos_token_id") if encoder_decoder else ()
    known = {key: value for key, value in COMMON.items() if hasattr(kind(), key) or key in needed}
    config = kind(**({} if "text_config" in changes else known) | changes)
    torch.manual_seed(0)
    auto: Any = AutoModelForSeq2SeqLM if encoder_decoder else AutoModelForCausalLM
    model = auto.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(4)
    return model
