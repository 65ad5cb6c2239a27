// Methods that scale, train norms or tokens, add small layers, or put vectors before the text.

using System.ComponentModel.DataAnnotations;
using Gradus.Adapters;

namespace Gradus.Training.Tuning;

/// <summary>IA³: one factor for every output of attention's projections and every input of feed-forward layers (Liu et al., 2022).</summary>
public sealed record Ia3Method : LayerMethod
{
    /// <summary>Those targets whose inputs are scaled rather than their outputs; empty for the usual ones.</summary>
    public string[] FeedforwardModules { get; init; } = [];

    private protected override TunerConfig Own(TuningTarget target) => new Ia3Config(FeedforwardModules: ModulesOf(FeedforwardModules));
}

/// <summary>Only the gains and biases of norms (Qi et al., "LN-Tuning", 2022). Targets are norms here; empty for all.</summary>
public sealed record LnTuningMethod : LayerMethod
{
    private protected override TunerConfig Own(TuningTarget target) => new LnTuningConfig();
}

/// <summary>Only the vectors of some tokens, such as those that were added to the vocabulary. Targets are tables here; empty for the input's.</summary>
public sealed record TrainableTokensMethod : LayerMethod
{
    /// <summary>The tokens' texts.</summary>
    public string[] Tokens { get; init; } = [];

    /// <summary>The tokens' numbers, beside those of <see cref="Tokens"/>.</summary>
    public int[] Ids { get; init; } = [];

    private protected override TunerConfig Own(TuningTarget target) => Tokens.Length + Ids.Length == 0
        ? throw new InvalidDataException("method.tokens: names no token; give texts, or numbers in method.ids.")
        : new TrainableTokensConfig([.. Tokens.Select(t => IdOf(t, target.Tokenizer, "method.tokens")).Concat(Ids).Distinct()]);
}

/// <summary>Where bottleneck adapters stand.</summary>
public enum BottleneckPlacement
{
    /// <summary>After attention and after the feed-forward layer (Houlsby et al., 2019).</summary>
    Houlsby,

    /// <summary>After the feed-forward layer alone (Pfeiffer et al., 2020).</summary>
    Pfeiffer,

    /// <summary>Beside the feed-forward layer (He et al., 2021).</summary>
    Parallel,
}

/// <summary>Small networks in every block, in adapter-hub's files. Cannot be merged.</summary>
/// <param name="Placement">Where they stand.</param>
/// <param name="ReductionFactor">The width over the inner width.</param>
/// <param name="NonLinearity">The activation.</param>
/// <param name="Scaling">Factor of the result.</param>
/// <param name="Dropout">Dropout of the result.</param>
/// <param name="Name">The adapter's name, which stands in the names of tensors.</param>
public sealed record BottleneckMethod(
    BottleneckPlacement Placement = BottleneckPlacement.Pfeiffer,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double ReductionFactor = 16,
    string NonLinearity = "relu",
    float Scaling = 1,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Dropout = 0,
    string Name = "default") : AdapterMethod
{
    /// <summary>Numbers of blocks that get none.</summary>
    public int[] LeaveOut { get; init; } = [];

    internal override PeftConfig Configure(TuningTarget target) => target.Heads.Count > 0
        ? throw new InvalidDataException("method.kind: adapter-hub's files of bottleneck adapters have no place for a new head; choose a method such as lora.")
        : new BottleneckConfig(
            MhAdapter: Placement == BottleneckPlacement.Houlsby,
            ReductionFactor: ReductionFactor,
            NonLinearity: NonLinearity,
            OriginalLnBefore: Placement == BottleneckPlacement.Pfeiffer,
            IsParallel: Placement == BottleneckPlacement.Parallel,
            Scaling: Scaling,
            InitWeights: Placement == BottleneckPlacement.Parallel ? "mam_adapter" : "bert",
            Dropout: Dropout,
            LeaveOut: LeaveOut.Length == 0 ? null : LeaveOut,
            Name: Name,
            BaseModelNameOrPath: target.BasePath);
}

/// <summary>Prompt tuning (Lester et al., 2021): trained vectors before the text.</summary>
/// <param name="VirtualTokens">Vectors.</param>
/// <param name="Start">How they start out.</param>
/// <param name="Text">The text whose tokens they start out as.</param>
public sealed record PromptTuningMethod([Range(1, 100_000)] int VirtualTokens = 20, PromptStart Start = PromptStart.Vocabulary, string? Text = null) : PromptMethod(VirtualTokens)
{
    private protected override PromptConfig Own(TuningTarget target) => new PromptTuningConfig(
        VirtualTokens,
        Start switch { PromptStart.Text => PromptInit.Text, PromptStart.Vocabulary => PromptInit.SampleVocab, _ => PromptInit.Random },
        Text,
        Start == PromptStart.Text ? target.BasePath : null)
    {
        InitTokens = StartOf(Start, Text, target),
    };
}

/// <summary>P-tuning (Liu et al., 2021): a small network makes the vectors before the text while it is trained.</summary>
/// <param name="VirtualTokens">Vectors.</param>
/// <param name="HiddenSize">The network's inner width; 0 for the model's.</param>
public sealed record PTuningMethod([Range(1, 100_000)] int VirtualTokens = 20, [Range(0, int.MaxValue)] int HiddenSize = 0) : PromptMethod(VirtualTokens)
{
    private protected override PromptConfig Own(TuningTarget target) => new PTuningConfig(VirtualTokens, EncoderHiddenSize: HiddenSize == 0 ? null : HiddenSize);
}

/// <summary>Multitask prompt tuning (Wang et al., 2023): tasks share vectors and scale them, each in its own way; records say theirs in the field task_id, a number from 0.</summary>
/// <param name="VirtualTokens">Vectors.</param>
/// <param name="Tasks">Tasks.</param>
/// <param name="Ranks">Rank of the tasks' matrices.</param>
/// <param name="Start">How the shared vectors start out.</param>
/// <param name="Text">The text whose tokens they start out as.</param>
public sealed record MultitaskPromptTuningMethod(
    [Range(1, 100_000)] int VirtualTokens = 20,
    [Range(1, 100_000)] int Tasks = 1,
    [Range(1, 10_000)] int Ranks = 1,
    PromptStart Start = PromptStart.Vocabulary,
    string? Text = null) : PromptMethod(VirtualTokens)
{
    private protected override PromptConfig Own(TuningTarget target) => new MultitaskPromptTuningConfig(
        VirtualTokens,
        Tasks,
        Ranks,
        Start switch { PromptStart.Text => "TEXT", PromptStart.Vocabulary => "SAMPLE_VOCAB", _ => "RANDOM" },
        Text,
        Start == PromptStart.Text ? target.BasePath : null)
    {
        InitTokens = StartOf(Start, Text, target),
    };
}

/// <summary>Prefix tuning (Li and Liang, 2021): trained keys and values before every sequence, in all layers.</summary>
/// <param name="VirtualTokens">Positions.</param>
/// <param name="Projection">Whether a network makes them while they are trained.</param>
/// <param name="HiddenSize">The network's inner width; 0 for the prefix's.</param>
public sealed record PrefixTuningMethod([Range(1, 100_000)] int VirtualTokens = 20, bool Projection = false, [Range(0, int.MaxValue)] int HiddenSize = 0) : PromptMethod(VirtualTokens)
{
    private protected override PromptConfig Own(TuningTarget target) => new PrefixTuningConfig(VirtualTokens, Projection, HiddenSize == 0 ? null : HiddenSize);
}
