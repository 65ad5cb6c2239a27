using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>A model that scores the next token of a sequence, and so can write: decoders, encoder-decoders and recurrent networks.</summary>
public abstract class GenerativeModel : LanguageModel
{
    private protected GenerativeModel(ModelConfig config, Scope scope)
        : base(config, scope)
    {
    }

    /// <summary>Scores of the next token: (N, C) → (N, V). Set by the architecture's constructor.</summary>
    public Linear Head { get; private protected init; } = null!;

    /// <summary>The loss that keeps experts equally busy, or null where there are none.</summary>
    public LoadBalancing? LoadBalancing { get; private protected init; }

    /// <summary>The longest sequence, in tokens, for which cached keys hold; null for any (<see cref="RotaryEmbedding.ShortLimit"/>).</summary>
    public virtual int? ShortLimit => null;

    /// <summary>The longest sequence, in tokens, whose keys do not depend on how long it is; null for any. Of longer ones a prefix cannot be shared.</summary>
    internal virtual int? PrefixLimit => ShortLimit;

    /// <summary>Scores become cap · tanh(score/cap) (Gemma 2); 0 for none.</summary>
    private protected float LogitSoftCap { get; init; }

    /// <summary>What an adapter puts before every sequence, or null.</summary>
    public Prefix? Prefix { get; internal set; }

    /// <summary>The adapters that sequences can name; replaced as a whole (<see cref="Gradus.Adapters.AdapterSet"/>).</summary>
    internal IReadOnlyDictionary<string, SequenceAdapter> NamedAdapters { get; set; } = new Dictionary<string, SequenceAdapter>();

    /// <summary>Held while <see cref="NamedAdapters"/> are changed, and what of them is on the layers.</summary>
    internal Lock AdapterGate { get; } = new();

    /// <summary>The adapter of a name, which stays until it is released as often as it was acquired.</summary>
    /// <exception cref="ArgumentException">There is none of this name.</exception>
    internal SequenceAdapter Acquire(string name)
    {
        while (true)
        {
            IReadOnlyDictionary<string, SequenceAdapter> named = NamedAdapters;
            if (!named.TryGetValue(name, out SequenceAdapter? adapter))
                throw new ArgumentException($"Adapter: the model has none of the name \"{name}\"; {(named.Count == 0 ? "none is loaded" : $"there are {string.Join(", ", named.Keys.Order(StringComparer.Ordinal))}")}.");
            // Unloaded just now: the next look finds what there is instead.
            if (adapter.TryAcquire())
                return adapter;
        }
    }

    /// <summary>The most tokens of a sequence: the context, less what a prefix takes of it.</summary>
    public virtual int LongestSequence => Config.ContextLength - (Prefix?.Length ?? 0);

    /// <summary>Layers, key/value heads and values per head of what is kept of a sequence; null for recurrent networks.</summary>
    internal virtual (int Layers, int Heads, int Width)? CacheShape => null;

    private protected override IEnumerable<Parameter> PrefixParameters => Prefix?.Parameters ?? [];

    /// <summary>An empty cache for what this model keeps of the tokens it has read.</summary>
    public abstract SequenceCache NewCache();

    /// <summary>Scores of the next token after every token, (N, V).</summary>
    public Tensor Logits(Pass pass) => Logits(Hidden(pass), pass);

    /// <summary>Scores of the next token after the tokens whose hidden states are given, (M, V): generation wants them of few tokens only.</summary>
    /// <param name="hidden">(M, C): rows of <see cref="LanguageModel.Hidden"/>.</param>
    /// <param name="pass">The forward pass.</param>
    public Tensor Logits(Tensor hidden, Pass pass) => Cap(Head.Forward(HeadInput(hidden), pass));

    /// <summary>−log p(target) of every token in nats, (N); 0 where the target is negative. Never holds all logits of a large batch, unless they are capped.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="targets">(N), I32: the right next token, or −100 where it does not count.</param>
    public Tensor Losses(Pass pass, Tensor targets)
    {
        ArgumentNullException.ThrowIfNull(pass);
        Tensor hidden = HeadInput(Hidden(pass));
        if (LogitSoftCap != 0 || Head is not { Adapter: null, Weight: DenseWeight { Layout: WeightLayout.OutIn } dense })
            return Cap(Head.Forward(hidden, pass)).CrossEntropy(targets);
        pass.Observer?.LinearInput(Head, hidden);
        return hidden.LinearCrossEntropy(dense.Parameter.Value, Head.Bias?.Value, targets);
    }

    private Tensor Cap(Tensor scores) =>
        LogitSoftCap > 0 ? scores.Scale(1 / LogitSoftCap).Activate(Activation.Tanh).Scale(LogitSoftCap) : scores;

    /// <summary>What the head is given of the hidden states; these themselves unless the architecture scales them.</summary>
    protected virtual Tensor HeadInput(Tensor hidden) => hidden;
}
