using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// Prefix tuning (Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for Generation", 2021): keys and values before every
/// sequence are trained in all layers, of a model with an encoder those of the decoder; directly, or as what a network of two layers
/// makes of a smaller table. With grouped heads the prefix is as wide as keys and values are.
/// </summary>
/// <param name="NumVirtualTokens">Positions, ≥ 1.</param>
/// <param name="PrefixProjection">Whether a network makes them while they are trained; PEFT does not store it.</param>
/// <param name="EncoderHiddenSize">The network's inner width; the prefix's where null.</param>
/// <param name="TokenDim">Width of keys and values, Hkv·D; the model's where null.</param>
/// <param name="NumTransformerSubmodules">1 for decoders, 2 for models with an encoder.</param>
/// <param name="NumAttentionHeads">Key/value heads Hkv; the model's where null.</param>
/// <param name="NumLayers">Layers of the model.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
[UnusedKeys("init_weights")]
public sealed record PrefixTuningConfig(
    int NumVirtualTokens = 20,
    bool PrefixProjection = false,
    int? EncoderHiddenSize = null,
    int? TokenDim = null,
    int? NumTransformerSubmodules = null,
    int? NumAttentionHeads = null,
    int? NumLayers = null,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : PromptConfig(NumVirtualTokens, TokenDim, NumTransformerSubmodules, NumAttentionHeads, NumLayers, TaskType, BaseModelNameOrPath, InferenceMode)
{
    private protected override (int Width, int Heads) Measures(GenerativeModel model, (int Layers, int Heads, int Width) shape) => (shape.Heads * shape.Width, shape.Heads);

    internal override void Build(AdapterParts parts) => parts.Prefix = new TunedPrefix(this, parts);
}

/// <summary>A table of a row for each position: for each layer the key, then the value.</summary>
internal sealed class TunedPrefix : KeyValuePrefix, IStoredPrompt
{
    private readonly PrefixTuningConfig _config;
    private readonly Parameter _table;
    private readonly PromptLayers? _network;
    private readonly bool _pairs;

    public TunedPrefix(PrefixTuningConfig config, AdapterParts parts)
    {
        _config = config;
        _pairs = parts.Model is EncoderDecoderModel;
        Scope place = parts.File["prompt_encoder"];
        int width = config.TokenDim!.Value, all = 2 * config.NumLayers!.Value * width;
        bool projects = config.PrefixProjection && parts.CanTrainPrompt;
        Shape shape = new(config.NumVirtualTokens, projects ? width : all);
        _table = config.PrefixProjection && !projects ? place.Buffer("embedding.weight", shape, Init.Normal(1)) : place.Parameter("embedding.weight", shape, Init.Normal(1));
        _network = projects ? new PromptLayers(place, "transform", Activation.Tanh, width, config.EncoderHiddenSize ?? width, all) : null;
        Parameters = _table.IsBuffer ? [] : [_table, .. _network?.Parameters ?? []];
    }

    public override int Length => _config.NumVirtualTokens;

    public override IReadOnlyList<Parameter> Parameters { get; }

    public bool HasNetwork => _network is not null;

    // PEFT repeats the parts of all layers, once for the decoder's own attention and once for that to the source, and then deals out
    // four to a layer, of which the source's are dropped: so a layer gets those of twice its number, counted round.
    public override (Tensor Keys, Tensor Values) Layer(int layer, Workspace step)
    {
        int width = _config.TokenDim!.Value, first = (_pairs ? 4 * layer : 2 * layer) % (2 * _config.NumLayers!.Value);
        Tensor both = Part(step, first * width, 2 * width);
        return (both.Columns(0, width), both.Columns(width, width));
    }

    public IReadOnlyDictionary<string, Tensor> Stored(Workspace store)
    {
        using Workspace scratch = new(store.Device);
        Tensor all = Part(scratch, 0, 2 * _config.NumLayers!.Value * _config.TokenDim!.Value);
        return new Dictionary<string, Tensor> { ["prompt_embeddings"] = store.From(all.ToArray(), all.Shape) };
    }

    private Tensor Part(Workspace step, int start, int count) =>
        _network is null ? _table.In(step).Columns(start, count) : _network.Forward(_table.In(step), start, count);
}
