using System.Text.Json.Nodes;
using Gradus.Models;

namespace Gradus.Tests.Models;

/// <summary>The forms in which config.json files of different ages hold the same values.</summary>
public sealed class ConfigFormTests
{
    [Fact]
    public void FormerNamesCount()
    {
        BloomConfig bloom = Parse<BloomConfig>("""{ "model_type": "bloom", "n_embed": 1024, "n_layer": 24, "num_attention_heads": 16, "seq_length": 2048, "offset_alibi": 100 }""");
        Assert.Equal((1024, 24, 16), (bloom.HiddenSize, bloom.NLayer, bloom.NHead));
        FalconConfig falcon = Parse<FalconConfig>("""{ "model_type": "falcon", "hidden_size": 8192, "n_layer": 60, "n_head": 128, "n_head_kv": 8, "new_decoder_architecture": true }""");
        Assert.Equal((60, 128, 8), (falcon.NumHiddenLayers, falcon.NumAttentionHeads, falcon.NumKvHeads));
        GptJConfig gptJ = Parse<GptJConfig>("""{ "model_type": "gptj", "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 128, "rotary_dim": 4 }""");
        Assert.Equal((64, 3, 4, 128), (gptJ.NEmbd, gptJ.NLayer, gptJ.NHead, gptJ.NPositions));
        Gemma3TextConfig gemma = Parse<Gemma3TextConfig>("""{ "model_type": "gemma3_text", "_sliding_window_pattern": 3 }""");
        Assert.Equal(3, gemma.SlidingWindowPattern);
    }

    [Fact]
    public void TwoNamesForOneThingMustAgree()
    {
        GptNeoXConfig both = Parse<GptNeoXConfig>("""{ "model_type": "gpt_neox", "rotary_pct": 0.5, "partial_rotary_factor": 0.5, "rotary_emb_base": 500, "rope_theta": 500.0 }""");
        Assert.Equal((0.5, 500), (both.RotaryPct, both.RotaryEmbBase));
        Refused("""{ "model_type": "gpt_neox", "rotary_pct": 0.5, "partial_rotary_factor": 0.25 }""", "rotary_pct is 0.5", "partial_rotary_factor");
        Refused("""{ "model_type": "gpt2", "n_head": 12, "num_attention_heads": 2 }""", "n_head is 12", "num_attention_heads");
    }

    [Fact]
    public void RotaryParametersOfVersion5AreSpread()
    {
        LlamaConfig plain = Parse<LlamaConfig>("""{ "model_type": "llama", "rope_parameters": { "rope_type": "default", "rope_theta": 500000.0 } }""");
        Assert.Equal(500000, plain.RopeTheta);
        Assert.Null(plain.RopeScaling);
        LlamaConfig scaled = Parse<LlamaConfig>("""{ "model_type": "llama", "rope_parameters": { "rope_type": "linear", "rope_theta": 1000.0, "factor": 4.0 } }""");
        Assert.Equal((1000, "linear", 4.0), (scaled.RopeTheta, scaled.RopeScaling!.Kind, scaled.RopeScaling.Factor));
        PhiConfig phi = Parse<PhiConfig>("""{ "model_type": "phi", "rope_parameters": { "rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25 } }""");
        Assert.Equal(0.25, phi.PartialRotaryFactor);
        GptNeoXConfig neoX = Parse<GptNeoXConfig>("""{ "model_type": "gpt_neox", "rope_parameters": { "rope_theta": 500.0, "partial_rotary_factor": 0.5 } }""");
        Assert.Equal((0.5, 500), (neoX.RotaryPct, neoX.RotaryEmbBase));
        Gemma3TextConfig gemma = Parse<Gemma3TextConfig>("""
            { "model_type": "gemma3_text", "rope_parameters": {
                "full_attention": { "rope_type": "linear", "factor": 8.0, "rope_theta": 2000000.0 },
                "sliding_attention": { "rope_type": "default", "rope_theta": 20000.0 } } }
            """);
        Assert.Equal((2000000, 20000, 8.0), (gemma.RopeTheta, gemma.RopeLocalBaseFreq, gemma.RopeScaling!.Factor));
    }

    [Theory]
    [InlineData("""{ "model_type": "llama", "partial_rotary_factor": 1.0, "pruned_heads": {}, "add_cross_attention": false, "tie_encoder_decoder": false }""")]
    [InlineData("""{ "model_type": "bart", "normalize_before": false, "normalize_embedding": true, "add_final_layer_norm": false, "is_decoder": false }""")]
    [InlineData("""{ "model_type": "phi3", "partial_rotary_factor": 0.5 }""")]
    [InlineData("""{ "model_type": "mistral", "architectures": ["MistralModel"] }""")]
    public void UsualValuesOfOtherKeysPass(string json) => Parse<ModelConfig>(json);

    [Fact]
    public void TheLengthOfTrainingMayStandOutsideOfTheScaling()
    {
        LlamaConfig llama = Parse<LlamaConfig>("""
            { "model_type": "llama", "hidden_size": 4, "num_attention_heads": 1, "original_max_position_embeddings": 16,
              "rope_scaling": { "type": "longrope", "short_factor": [1, 1], "long_factor": [2, 2] } }
            """);
        Assert.Equal(16, llama.RopeScaling!.OriginalMaxPositionEmbeddings);
    }

    // None writes null where it means "no", and nothing where the default holds.
    [Fact]
    public void NullIsNotTheDefault()
    {
        Assert.Equal(4096, Parse<MistralConfig>("""{ "model_type": "mistral" }""").SlidingWindow);
        MistralConfig without = Parse<MistralConfig>("""{ "model_type": "mistral", "sliding_window": null, "head_dim": null, "num_key_value_heads": null }""");
        Assert.Null(without.SlidingWindow);
        Assert.Equal((32, 128), (without.KeyValueHeads, without.HeadWidth));
        JsonObject written = Architectures.ToJson(without);
        Assert.True(written.ContainsKey("sliding_window"));
        Assert.Null(Assert.IsType<MistralConfig>(Architectures.Parse(written, "written")).SlidingWindow);
        // transformers' Qwen2 asks whether there is a head_dim, and a null would be one.
        Assert.False(Architectures.ToJson(new Qwen2Config()).ContainsKey("head_dim"));
        Assert.Equal(50f, Parse<Gemma2Config>("""{ "model_type": "gemma2" }""").AttnLogitSoftcapping);
        Assert.Null(Parse<Gemma2Config>("""{ "model_type": "gemma2", "attn_logit_softcapping": null }""").AttnLogitSoftcapping);
    }

    [Fact]
    public void EarlyNamesOfActivationsAndScalingsCount()
    {
        Assert.Equal("gelu_pytorch_tanh", Parse<GemmaConfig>("""{ "model_type": "gemma", "hidden_act": "gelu", "hidden_activation": null }""").ActivationChoice.Name);
        Phi3Config phi3 = Parse<Phi3Config>("""
            { "model_type": "phi3", "hidden_size": 48, "num_attention_heads": 4, "max_position_embeddings": 131072, "original_max_position_embeddings": 4096,
              "rope_scaling": { "type": "su", "short_factor": [1, 1, 1, 1, 1, 1], "long_factor": [2, 2, 2, 2, 2, 2] } }
            """);
        Assert.Equal(("longrope", 4096), (phi3.Scaling!.Kind, phi3.Scaling.OriginalMaxPositionEmbeddings));
        // What is written is what was read: a "type": null beside it would undo it in transformers.
        Assert.Equal("su", (string?)Architectures.ToJson(phi3)["rope_scaling"]!["type"]);
        Assert.False(Architectures.ToJson(phi3)["rope_scaling"]!.AsObject().ContainsKey("rope_type"));
    }

    [Theory]
    [InlineData("""{ "model_type": "llama", "rope_scaling": { "rope_type": "ntk" } }""", "rope_scaling: the kind \"ntk\" is not known")]
    [InlineData("""{ "model_type": "phi3", "rope_scaling": { "type": "longrope", "short_factor": [1], "long_factor": [1] } }""", "each of the 48 pairs")]
    [InlineData("""{ "model_type": "mistral", "hidden_act": "swoosh" }""", "hidden_act: the activation \"swoosh\" is not known")]
    [InlineData("""{ "model_type": "bert", "hidden_act": "swoosh" }""", "hidden_act: the activation \"swoosh\" is not known")]
    [InlineData("""{ "model_type": "electra", "embedding_size": 0 }""", "embedding_size: must be at least 1")]
    [InlineData("""{ "model_type": "roberta", "pad_token_id": 511 }""", "max_position_embeddings: must be at least 513")]
    [InlineData("""{ "model_type": "distilbert", "activation": "swoosh" }""", "activation: the activation \"swoosh\" is not known")]
    [InlineData("""{ "model_type": "t5", "feed_forward_proj": "gated-swoosh" }""", "feed_forward_proj: the activation \"swoosh\" is not known")]
    [InlineData("""{ "model_type": "bart", "activation_function": "swoosh" }""", "activation_function: the activation \"swoosh\" is not known")]
    [InlineData("""{ "model_type": "xlnet", "ff_activation": "swoosh" }""", "ff_activation: the activation \"swoosh\" is not known")]
    [InlineData("""{ "model_type": "gemma2", "hidden_activation": "swoosh" }""", "hidden_activation: the activation \"swoosh\" is not known")]
    [InlineData("""{ "model_type": "gemma2", "layer_types": ["full_attention"] }""", "layer_types: names 1 layers, but num_hidden_layers is 26")]
    [InlineData("""{ "model_type": "qwen3", "layer_types": ["chunked_attention"] }""", "layer_types")]
    [InlineData("""{ "model_type": "mixtral", "num_experts_per_tok": 9 }""", "num_experts_per_tok: must be from 1 to the number of experts, 8")]
    [InlineData("""{ "model_type": "qwen2_moe", "decoder_sparse_step": 0 }""", "decoder_sparse_step: must be at least 1")]
    [InlineData("""{ "model_type": "phi", "partial_rotary_factor": 1.5 }""", "partial_rotary_factor: rotary positions turn pairs")]
    [InlineData("""{ "model_type": "gemma3_text", "use_bidirectional_attention": true }""", "use_bidirectional_attention")]
    [InlineData("""{ "model_type": "gemma", "use_bidirectional_attention": true }""", "use_bidirectional_attention: true is not supported")]
    [InlineData("""{ "model_type": "llama", "partial_rotary_factor": 0.5 }""", "partial_rotary_factor: 0.5 is not supported, only 1")]
    [InlineData("""{ "model_type": "llama", "attention_dropout": 1.0 }""", "attention_dropout: is a probability")]
    [InlineData("""{ "model_type": "llama", "rope_scaling": { "rope_type": "llama3", "low_freq_factor": 4, "high_freq_factor": 4 } }""", "rope_scaling: high_freq_factor 4 must be greater")]
    [InlineData("""{ "model_type": "llama", "rope_scaling": { "rope_type": "ntk", "factor": 4 } }""", "rope_scaling: the kind \"ntk\" is not known")]
    [InlineData("""{ "model_type": "llama", "pruned_heads": { "1": [0] } }""", "pruned_heads")]
    [InlineData("""{ "model_type": "llama", "architectures": ["LlamaForTokenClassification"] }""", "LlamaForTokenClassification is not supported; supported are LlamaForCausalLM, LlamaForSequenceClassification")]
    [InlineData("""{ "model_type": "bart", "architectures": ["BartForSequenceClassification"] }""", "BartForSequenceClassification is not supported; supported are BartForConditionalGeneration")]
    [InlineData("""{ "model_type": "t5", "architectures": ["T5EncoderModel"] }""", "T5EncoderModel is not supported")]
    [InlineData("""{ "model_type": "bart", "normalize_before": true }""", "normalize_before: true is not supported, only false")]
    [InlineData("""{ "model_type": "gpt2", "add_cross_attention": true }""", "add_cross_attention: true is not supported")]
    [InlineData("""{ "model_type": "distilbert", "is_decoder": true }""", "is_decoder: true is not supported")]
    [InlineData("""{ "model_type": "gemma3_text", "rope_parameters": { "full_attention": {}, "sliding_attention": { "rope_type": "linear", "factor": 2 } } }""", "sliding_attention")]
    [InlineData("""{ "model_type": "mixtral", "router_jitter_noise": 1.0 }""", "router_jitter_noise: is a noise")]
    [InlineData("""{ "model_type": "qwen3", "head_dim": null }""", "head_dim: is null; give the values per head")]
    [InlineData("""{ "model_type": "opt", "layerdrop": 1.0 }""", "layerdrop: is a probability")]
    public void WrongValuesAreNamed(string json, string message)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Architectures.Parse(JsonNode.Parse(json)!.AsObject(), "config.json"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("gpt2", "n_embd hidden_size 24", "n_head num_attention_heads 2", "n_layer num_hidden_layers 3", "n_positions max_position_embeddings 64")]
    [InlineData("bart", "d_model hidden_size 64", "encoder_attention_heads num_attention_heads 4")]
    [InlineData("t5", "d_model hidden_size 64", "num_heads num_attention_heads 4", "num_layers num_hidden_layers 3", "d_kv head_dim 8")]
    [InlineData("distilbert", "dim hidden_size 64", "n_heads num_attention_heads 4", "n_layers num_hidden_layers 3")]
    [InlineData("xlnet", "d_model hidden_size 64", "n_head num_attention_heads 4", "n_layer num_hidden_layers 3", "vocab_size n_token 100")]
    [InlineData("mixtral", "num_local_experts num_experts 4")]
    [InlineData("qwen3_moe", "num_experts num_local_experts 16")]
    public void TheAttributeMapOfTransformersCounts(string type, params string[] names)
    {
        JsonObject json = new() { ["model_type"] = type };
        foreach (string[] name in names.Select(n => n.Split(' ')))
            json[name[1]] = int.Parse(name[2]);
        JsonObject read = Architectures.ToJson(Architectures.Parse(JsonNode.Parse(json.ToJsonString())!.AsObject(), "config.json"));
        Assert.All(names.Select(n => n.Split(' ')), name => Assert.Equal(name[2], read[name[0]]!.ToJsonString()));
    }

    [Fact]
    public void NullIsFalseOrAbsentWhereThereIsNoNone()
    {
        LlamaConfig llama = Parse<LlamaConfig>("""
            { "model_type": "llama", "attention_bias": null, "mlp_bias": null, "tie_word_embeddings": null, "attention_dropout": null, "initializer_range": null,
              "rope_theta": null, "rms_norm_eps": null, "hidden_act": null, "max_position_embeddings": null, "pretraining_tp": null, "vocab_size": null }
            """);
        Assert.Equal(new LlamaConfig(), llama);
        Assert.False(Parse<Gpt2Config>("""{ "model_type": "gpt2", "scale_attn_weights": null }""").ScaleAttnWeights);
    }

    [Theory]
    [InlineData("""{ "model_type": "llama", "final_logit_softcapping": 30.0 }""", "final_logit_softcapping: 30.0")]
    [InlineData("""{ "model_type": "llama", "sliding_window": 512 }""", "sliding_window: 512")]
    [InlineData("""{ "model_type": "llama", "num_local_experts": 8 }""", "num_local_experts: 8")]
    [InlineData("""{ "model_type": "llama", "logit_scale": 0.0625 }""", "logit_scale: 0.0625")]
    [InlineData("""{ "model_type": "mistral", "use_parallel_residual": true }""", "use_parallel_residual: true")]
    [InlineData("""{ "model_type": "gpt2", "alibi": true }""", "alibi: true")]
    [InlineData("""{ "model_type": "qwen2_moe", "layer_types": ["sliding_attention"] }""", "layer_types")]
    [InlineData("""{ "model_type": "llama", "n_head": 4 }""", "n_head: the architecture llama calls it num_attention_heads")]
    [InlineData("""{ "model_type": "llama", "layer_norm_epsilon": 0.1 }""", "layer_norm_epsilon: the architecture llama calls it rms_norm_eps")]
    [InlineData("""{ "model_type": "gpt2", "hidden_act": "relu" }""", "hidden_act: the architecture gpt2 calls it activation_function")]
    [InlineData("""{ "model_type": "llama", "rotary_emb_base": 500000 }""", "rotary_emb_base: the architecture llama calls it rope_theta")]
    [InlineData("""{ "model_type": "llama", "rope_scaling": { "rope_type": "yarn", "factor": 2, "mrope_section": [1, 2] } }""", "rope_scaling: mrope_section")]
    [InlineData("""{ "model_type": "llama", "rms_norm_eps": 1e999 }""", "rms_norm_eps")]
    [InlineData("""{ "model_type": "llama", "rope_theta": "Infinity" }""", "rope_theta")]
    public void WhatIsNotUnderstoodIsNamed(string json, string message) => Refused(json, message);

    [Theory]
    [InlineData("""{ "model_type": "llama", "final_logit_softcapping": null, "sliding_window": 2048, "num_local_experts": 0, "logit_scale": 1.0, "n_ctx": 7 }""")]
    [InlineData("""{ "model_type": "llama", "sliding_window": 4, "use_sliding_window": false, "layer_types": ["full_attention"] }""")]
    [InlineData("""{ "model_type": "gemma2", "hidden_act": "gelu_pytorch_tanh" }""")]
    [InlineData("""{ "model_type": "llama", "rope_scaling": { "type": "linear", "factor": 2, "finetuned": true, "attn_factor": 1.0 } }""")]
    [InlineData("""{ "model_type": "llama", "use_cache": true, "unheard_of": 3, "time_step_limit": [0, "Infinity"] }""")]
    public void WhatChangesNoNumberPasses(string json) => Parse<ModelConfig>(json);

    private static void Refused(string json, params string[] words)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Architectures.Parse(JsonNode.Parse(json)!.AsObject(), "config.json"));
        Assert.All(words, word => Assert.Contains(word, error.Message, StringComparison.Ordinal));
        Assert.DoesNotContain('\n', error.Message);
    }

    private static T Parse<T>(string json)
        where T : ModelConfig => Assert.IsAssignableFrom<T>(Architectures.Parse(JsonNode.Parse(json)!.AsObject(), "config.json"));
}
