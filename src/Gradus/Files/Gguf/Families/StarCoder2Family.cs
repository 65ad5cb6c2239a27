using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>StarCoder 2: biases everywhere, layer norms, a feed-forward layer without gate.</summary>
internal sealed class StarCoder2Family() : DecoderFamily("starcoder2", "starcoder2", "Starcoder2ForCausalLM")
{
    /// <inheritdoc/>
    public override bool TiesByDefault => true;

    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        .. base.Keys.Where(k => k.Name != "rms_norm_eps"),
        new("norm_epsilon", "attention.layer_norm_epsilon", MetadataType.Number, 1e-5),
    ];

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["hidden_act"] = "gelu_pytorch_tanh" };

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config) =>
    [
        .. Outer(),
        .. NormTensors(),
        .. AttentionTensors(),
        new("model.layers.{n}.mlp.c_fc", "blk.{n}.ffn_up"),
        new("model.layers.{n}.mlp.c_proj", "blk.{n}.ffn_down"),
    ];

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        config.Remove("head_dim");
        config["use_bias"] = file.TryGet("blk.0.ffn_up.bias", out _);
        config["sliding_window"] = null;
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config) => [.. base.Deviations(config), .. WithoutWindow(config)];
}
