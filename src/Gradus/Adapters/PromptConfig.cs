using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>A method that puts something before every sequence and changes no layer. Such an adapter cannot be merged.</summary>
/// <param name="NumVirtualTokens">Positions before every sequence, ≥ 1.</param>
/// <param name="TokenDim">Width of what stands there; the model decides where null.</param>
/// <param name="NumTransformerSubmodules">1 for decoders, 2 for models with an encoder.</param>
/// <param name="NumAttentionHeads">Heads of the model; only the prefix's, of keys and values, matter.</param>
/// <param name="NumLayers">Layers of the model.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public abstract record PromptConfig(
    int NumVirtualTokens,
    int? TokenDim,
    int? NumTransformerSubmodules,
    int? NumAttentionHeads,
    int? NumLayers,
    string? TaskType,
    string? BaseModelNameOrPath,
    bool InferenceMode)
    : PeftConfig(null, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => new[]
    {
        AtLeastOne("num_virtual_tokens", NumVirtualTokens),
        ModulesToSave is { Count: > 0 } ? "modules_to_save: is not supported beside virtual tokens; take it out." : null,
    }.OfType<string>();

    /// <summary>Rows of the table of virtual tokens: PEFT keeps some for the decoder too, which it does not use.</summary>
    internal int Rows => NumVirtualTokens * (NumTransformerSubmodules ?? 1);

    internal override PeftConfig Resolve(LanguageModel model)
    {
        if (model is not GenerativeModel { CacheShape: { } shape } writer)
            throw new InvalidDataException($"num_virtual_tokens: a {model.Config.Architecture} has no attention to a sequence that it writes, before which tokens could stand; choose another method.");
        (int width, int heads) = Measures(writer, shape);
        PromptConfig resolved = this with
        {
            TokenDim = TokenDim ?? width,
            NumTransformerSubmodules = NumTransformerSubmodules ?? (model is EncoderDecoderModel ? 2 : 1),
            NumAttentionHeads = NumAttentionHeads ?? heads,
            NumLayers = NumLayers ?? shape.Layers,
        };
        return resolved.TokenDim == width && resolved.NumLayers == shape.Layers
            ? resolved
            : throw new InvalidDataException($"token_dim: is {resolved.TokenDim} in {resolved.NumLayers} layers, but the model makes it {width} in {shape.Layers}; it belongs to another base model.");
    }

    /// <summary>The width of what is put before a sequence, and the heads that it is divided into.</summary>
    private protected virtual (int Width, int Heads) Measures(GenerativeModel model, (int Layers, int Heads, int Width) shape) =>
        (TokenVectors.InputTable(model, "num_virtual_tokens").Width, shape.Heads);
}

/// <summary>A table of virtual tokens, or what a network makes of it.</summary>
internal sealed class PromptTable : VirtualTokens, IStoredPrompt
{
    private readonly IPromptNetwork? _network;
    private readonly int _tokens;

    /// <summary>Makes the table.</summary>
    /// <param name="config">The method.</param>
    /// <param name="parts">Where its parameters go.</param>
    /// <param name="init">How the vectors start out.</param>
    /// <param name="network">Makes the network from its scope, or null. A file that has only what the network made gives a table that is not trained.</param>
    public PromptTable(PromptConfig config, AdapterParts parts, Init init, Func<Scope, IPromptNetwork>? network = null)
    {
        _tokens = config.NumVirtualTokens;
        Scope place = parts.File["prompt_encoder"];
        bool made = network is not null && !parts.CanTrainPrompt;
        Shape shape = new(config.Rows, config.TokenDim!.Value);
        Table = made ? place.Buffer("embedding.weight", shape, init) : place.Parameter("embedding.weight", shape, init);
        _network = made ? null : network?.Invoke(place);
        Parameters = made ? [] : [Table, .. _network?.Parameters ?? []];
    }

    public Parameter Table { get; }

    public override int Length => _tokens;

    public override IReadOnlyList<Parameter> Parameters { get; }

    public bool HasNetwork => _network is not null;

    public override Tensor Vectors(Workspace step) => All(step);

    public IReadOnlyDictionary<string, Tensor> Stored(Workspace store)
    {
        using Workspace scratch = new(store.Device);
        Tensor all = All(scratch);
        return new Dictionary<string, Tensor> { ["prompt_embeddings"] = store.From(all.ToArray(), all.Shape) };
    }

    private Tensor All(Workspace step) => _network is null ? Table.In(step) : _network.Forward(Table.In(step));
}

/// <summary>A network that makes virtual tokens of a table, and is not needed any more when training is over.</summary>
internal interface IPromptNetwork
{
    IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>(rows, in) → (rows, out).</summary>
    Tensor Forward(Tensor table);
}

/// <summary>What is stored of a prefix under PEFT's names.</summary>
internal interface IStoredPrompt
{
    /// <summary>Whether a network made what is stored, so that training goes on from other values.</summary>
    bool HasNetwork { get; }

    IReadOnlyDictionary<string, Tensor> Stored(Workspace store);
}

/// <summary>Linear layers with an activation between each two, under the numbers that torch.nn.Sequential gives them.</summary>
internal sealed class PromptLayers : IPromptNetwork
{
    private readonly List<(Parameter Weight, Parameter Bias)> _layers = [];
    private readonly Activation _activation;

    public PromptLayers(Scope place, string name, Activation activation, params ReadOnlySpan<int> widths)
    {
        _activation = activation;
        for (int i = 0; i + 1 < widths.Length; i++)
        {
            Scope layer = place[name][2 * i];
            float bound = 1f / MathF.Sqrt(widths[i]);
            _layers.Add((layer.Parameter("weight", new Shape(widths[i + 1], widths[i]), Init.Uniform(bound)), layer.Parameter("bias", new Shape(widths[i + 1]), Init.Uniform(bound))));
        }
        Parameters = [.. _layers.SelectMany(l => new[] { l.Weight, l.Bias })];
    }

    public IReadOnlyList<Parameter> Parameters { get; }

    public Tensor Forward(Tensor table) => Forward(table, 0, _layers[^1].Bias.Shape[0]);

    /// <summary>Some columns of the result.</summary>
    public Tensor Forward(Tensor table, int start, int count)
    {
        Tensor x = table;
        foreach ((Parameter weight, Parameter bias) in _layers.SkipLast(1))
            x = x.Linear(weight.Value, bias.Value).Activate(_activation);
        Workspace step = x.Workspace;
        return x.Linear(_layers[^1].Weight.In(step).Rows(start, count), _layers[^1].Bias.In(step).Rows(start, count));
    }
}

/// <summary>The lookup of a table in which some tokens are virtual.</summary>
internal sealed class PromptLookup(VirtualTokens tokens) : EmbeddingAdapter
{
    /// <summary>None: they belong to the prefix.</summary>
    public override IReadOnlyList<Parameter> Parameters => [];

    public override bool CanMerge => false;

    public override Tensor Forward(Embedding layer, Tensor ids)
    {
        List<int> real = [], realTo = [], made = [], madeTo = [];
        ReadOnlySpan<int> all = ids.Span<int>();
        for (int i = 0; i < all.Length; i++)
        {
            bool isReal = all[i] < layer.Count;
            (isReal ? real : made).Add(isReal ? all[i] : all[i] - layer.Count);
            (isReal ? realTo : madeTo).Add(i);
        }
        if (made.Count == 0)
            return layer.Base(ids);
        Workspace w = ids.Workspace;
        Tensor vectors = tokens.Vectors(w).Gather(w.From([.. made])), to = w.From([.. madeTo]);
        return real.Count == 0
            ? Tensor.Scatter([vectors], [to], all.Length)
            : Tensor.Scatter([layer.Base(w.From([.. real])), vectors], [w.From([.. realTo]), to], all.Length);
    }

    public override Tensor Merge(Embedding layer, Workspace workspace) => throw new NotSupportedException("Virtual tokens are no rows of the table.");
}
