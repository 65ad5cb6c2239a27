namespace Gradus.Training.Compression.Pruning;

/// <summary>Where a block has units that can be taken out whole.</summary>
/// <param name="Makers">The linear layers whose outputs the units are.</param>
/// <param name="Reader">The linear layer whose inputs they are.</param>
/// <param name="Key">The key of config.json that says how many there are.</param>
internal sealed record WidthSite(IReadOnlyList<string> Makers, string Reader, string Key);

/// <summary>The architectures that can be made smaller, by <c>model_type</c>. A new one is a line here.</summary>
internal static class PruneSites
{
    private static readonly WidthSite Gated = new(["mlp.gate_proj", "mlp.up_proj"], "mlp.down_proj", "intermediate_size");

    private static readonly Dictionary<string, WidthSite> FeedForward = new(StringComparer.Ordinal)
    {
        ["llama"] = Gated,
        ["mistral"] = Gated,
        ["qwen2"] = Gated,
        ["qwen3"] = Gated,
        ["gemma"] = Gated,
        ["gemma2"] = Gated,
        ["gemma3_text"] = Gated,
        ["olmo2"] = Gated,
        ["smollm3"] = Gated,
        ["gpt2"] = new(["mlp.c_fc"], "mlp.c_proj", "n_inner"),
        ["gptj"] = new(["mlp.fc_in"], "mlp.fc_out", "n_inner"),
        ["gpt_neox"] = new(["mlp.dense_h_to_4h"], "mlp.dense_4h_to_h", "intermediate_size"),
        ["phi"] = new(["mlp.fc1"], "mlp.fc2", "intermediate_size"),
        ["starcoder2"] = new(["mlp.c_fc"], "mlp.c_proj", "intermediate_size"),
        ["opt"] = new(["fc1"], "fc2", "ffn_dim"),
    };

    // Of these the values per head are a key of their own.
    private static readonly HashSet<string> WithHeads = new(StringComparer.Ordinal) { "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3" };

    private static readonly string[] LayerKeys = ["num_hidden_layers", "n_layer", "num_layers"];

    /// <summary>Per-layer lists of config.json.</summary>
    public static IReadOnlyList<string> LayerLists { get; } = ["layer_types", "no_rope_layers"];

    /// <summary>The feed-forward units of an architecture, or null.</summary>
    public static WidthSite? FeedForwardOf(string type) => FeedForward.GetValueOrDefault(type);

    /// <summary>The architectures whose feed-forward units can be taken out.</summary>
    public static IEnumerable<string> TypesWithFeedForward => FeedForward.Keys.Order(StringComparer.Ordinal);

    /// <summary>The architectures whose heads can be taken out.</summary>
    public static IEnumerable<string> TypesWithHeads => WithHeads.Order(StringComparer.Ordinal);

    /// <summary>Whether heads can be taken out.</summary>
    public static bool HasHeads(string type) => WithHeads.Contains(type);

    /// <summary>The key that says how many layers there are.</summary>
    public static string? LayerKeyOf(System.Text.Json.Nodes.JsonObject config) => LayerKeys.FirstOrDefault(config.ContainsKey);
}
