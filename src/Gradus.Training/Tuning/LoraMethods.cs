// LoRA and what came from it: low-rank and structured changes of linear layers. Formulas and files are those of Gradus.Adapters.

using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Adapters;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tuning;

/// <summary>How the matrices of LoRA start out.</summary>
public enum LoraStart
{
    /// <summary>A even in ±1/√in, B zero.</summary>
    Default,

    /// <summary>A normal with deviation 1/r, B zero.</summary>
    Gaussian,

    /// <summary>A and B random with a product of zero; r even.</summary>
    Orthogonal,

    /// <summary>A the main directions of what the layers read of the training data; ranks go where they explain most (EVA).</summary>
    Eva,

    /// <summary>The largest singular values of the weight, which gives them up (PiSSA).</summary>
    Pissa,

    /// <summary>The first columns of the weight's QR decomposition, which it gives up (OLoRA).</summary>
    Olora,

    /// <summary>What quantizing the layers to NF4 loses (LoftQ).</summary>
    Loftq,
}

/// <summary>LoRA (Hu et al., 2021) with its variants: rsLoRA, DoRA, PiSSA, OLoRA, LoftQ, EVA, LoRA+, LoRA-FA.</summary>
/// <param name="R">Rank.</param>
/// <param name="Alpha">α: the update is scaled by α/r.</param>
/// <param name="Dropout">Dropout of the adapter's input.</param>
/// <param name="Start">How the matrices start out.</param>
/// <param name="RankStabilized">Scale by α/√r instead (Kalajdzievski, "rsLoRA", 2023).</param>
/// <param name="Dora">Train the length of every row of the weight apart from its direction (Liu et al., "DoRA", 2024).</param>
/// <param name="FreezeA">Train B alone (Zhang et al., "LoRA-FA", 2023).</param>
/// <param name="RateRatio">The learning rate of B over that of A (Hayou et al., "LoRA+", 2024, who found 16 good); 1 for the same.</param>
/// <param name="Bias">Which biases of the model are trained along: none, all, lora_only.</param>
/// <param name="EvaTokens">Tokens of the training data that EVA looks at.</param>
/// <param name="EvaSpread">How many times its mean a layer's rank may become with EVA.</param>
/// <param name="LoftqIterations">How often LoftQ fits weight and factors to each other.</param>
public sealed record LoraMethod(
    [Range(1, int.MaxValue)] int R = 16,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Alpha = 32,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Dropout = 0,
    LoraStart Start = LoraStart.Default,
    bool RankStabilized = false,
    bool Dora = false,
    bool FreezeA = false,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double RateRatio = 1,
    LoraBias Bias = LoraBias.None,
    [Range(1, int.MaxValue)] int EvaTokens = 16_384,
    [Range(1.0, 1000.0)] double EvaSpread = 2,
    [Range(1, 100)] int LoftqIterations = 1) : BlockMethod
{
    /// <summary>Other ranks: a regular expression for the end of a layer's path, and its rank; the first match counts.</summary>
    public Dictionary<string, int> RankPattern { get; init; } = [];

    /// <summary>Other alphas, named alike.</summary>
    public Dictionary<string, double> AlphaPattern { get; init; } = [];

    /// <summary>Tokens whose vectors are trained beside the matrices: such as those that were added to the vocabulary.</summary>
    public string[] Tokens { get; init; } = [];

    /// <inheritdoc/>
    [JsonIgnore]
    public override IReadOnlyList<ParameterGroup> Groups => RateRatio == 1 ? [] : [new ParameterGroup(RateRatio) { Parameters = ["/\\.lora_(embedding_)?B/"] }];

    private protected override TunerConfig Own(TuningTarget target) => new LoraConfig(
        R,
        Alpha,
        Dropout,
        // As the recipe's older key lora.
        TargetModules: TargetModules.Length == 0 ? ModuleNames.AllLinear : Targets,
        Bias: Bias,
        UseRslora: RankStabilized,
        UseDora: Dora,
        InitLoraWeights: LoraInit.Parse(Start == LoraStart.Default ? LoraInit.Default.Name : Start.ToString().ToLowerInvariant()),
        RankPattern: RankPattern.Count == 0 ? null : RankPattern,
        AlphaPattern: AlphaPattern.Count == 0 ? null : AlphaPattern,
        LoftqConfig: Start == LoraStart.Loftq ? new LoftqConfig(LoftqIter: LoftqIterations) : null,
        TrainableTokenIndices: Tokens.Length == 0 ? null : new TokenIndices(new Dictionary<string, int[]> { [""] = [.. Tokens.Select(t => IdOf(t, target.Tokenizer, "method.tokens")).Distinct()] }))
    {
        FreezeA = FreezeA,
    };

    internal override PeftConfig Configure(TuningTarget target)
    {
        if (Start == LoraStart.Orthogonal && (R % 2 != 0 || RankPattern.Values.Any(r => r % 2 != 0)))
            throw new InvalidDataException($"method.r: the orthogonal start needs an even rank, not {R}.");
        LoraConfig config = (LoraConfig)base.Configure(target);
        if (Start != LoraStart.Eva)
            return config;
        if (target.Model.Parts.Linears.Any(l => l.Weight is Nn.PackedWeight))
            throw new InvalidDataException("method.start: eva looks at what unquantized layers read; leave quantize and keep_stored_type out, or choose another start.");
        long left = EvaTokens;
        return EvaStart.Observe(config, target.Model, target.Batches.TakeWhile(b => (left -= b.Count) > -b.Count), EvaSpread);
    }
}

/// <summary>AdaLoRA (Zhang et al., 2023): layers come to have different ranks while they are trained.</summary>
/// <param name="TargetR">The mean rank that is left in the end.</param>
/// <param name="InitR">The rank of every layer at first.</param>
/// <param name="WarmupSteps">Steps before ranks begin to fall.</param>
/// <param name="FinalSteps">Steps at the end in which they stay.</param>
/// <param name="Every">Steps from one choice of ranks to the next.</param>
/// <param name="Beta1">Smoothing of what a part matters to the loss.</param>
/// <param name="Beta2">Smoothing of how uncertain that is.</param>
/// <param name="Orthogonality">Weight of the penalty that keeps the factors orthogonal.</param>
/// <param name="Alpha">α: the update is scaled by α over the first rank.</param>
/// <param name="Dropout">Dropout of the adapter's input.</param>
public sealed record AdaLoraMethod(
    [Range(1, int.MaxValue)] int TargetR = 8,
    [Range(1, int.MaxValue)] int InitR = 12,
    [Range(0, int.MaxValue)] int WarmupSteps = 0,
    [Range(0, int.MaxValue)] int FinalSteps = 0,
    [Range(1, int.MaxValue)] int Every = 1,
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)] double Beta1 = 0.85,
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)] double Beta2 = 0.85,
    [Range(0.0, double.PositiveInfinity)] double Orthogonality = 0.5,
    [Range(0.0, double.PositiveInfinity)] double Alpha = 24,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Dropout = 0) : BlockMethod
{
    private protected override TunerConfig Own(TuningTarget target) =>
        WarmupSteps + (long)FinalSteps >= target.Updates
            ? throw new InvalidDataException($"method.final_steps: {target.Updates} updates leave none between warmup_steps, {WarmupSteps}, and final_steps, {FinalSteps}.")
            : new AdaLoraConfig(
                TargetR, InitR, WarmupSteps, FinalSteps, Every, Beta1, Beta2, (float)Orthogonality, TotalStep: target.Updates, LoraAlpha: Alpha, LoraDropout: Dropout);
}

/// <summary>LoHa: the product, element by element, of two low-rank changes (Hyeon-Woo et al., "FedPara", 2022).</summary>
/// <param name="R">Rank of both.</param>
/// <param name="Alpha">α: the change is scaled by α/r.</param>
/// <param name="RankDropout">Probability with which training leaves a row of the change out.</param>
/// <param name="ModuleDropout">Probability with which training leaves a layer's change out.</param>
public sealed record LohaMethod(
    [Range(1, int.MaxValue)] int R = 8,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Alpha = 8,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float RankDropout = 0,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float ModuleDropout = 0) : BlockMethod
{
    private protected override TunerConfig Own(TuningTarget target) => new LohaConfig(R, Alpha, RankDropout, ModuleDropout);
}

/// <summary>LoKr: a Kronecker product of a small matrix and one of low rank (Yeh et al., "LyCORIS", 2024).</summary>
/// <param name="R">Rank of the factors that are of low rank.</param>
/// <param name="Alpha">α: the change is scaled by α/r.</param>
/// <param name="RankDropout">Probability with which training leaves a row of the change out.</param>
/// <param name="ModuleDropout">Probability with which training leaves a layer's change out.</param>
/// <param name="DecomposeBoth">Whether the small matrix is of low rank too.</param>
/// <param name="DecomposeFactor">The small matrix's sides; −1 for the divisors next to the square root.</param>
public sealed record LokrMethod(
    [Range(1, int.MaxValue)] int R = 8,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Alpha = 8,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float RankDropout = 0,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float ModuleDropout = 0,
    bool DecomposeBoth = false,
    [Range(-1, int.MaxValue)] int DecomposeFactor = -1) : BlockMethod
{
    private protected override TunerConfig Own(TuningTarget target) => new LokrConfig(R, Alpha, RankDropout, ModuleDropout, DecomposeBoth, DecomposeFactor);
}

/// <summary>VeRA: random matrices that all layers share, and trained vectors between them (Kopiczko et al., 2024).</summary>
/// <param name="R">Rank of the random matrices.</param>
/// <param name="Dropout">Dropout of the adapter's input.</param>
/// <param name="DInitial">What the vector between the matrices starts out as.</param>
/// <param name="Seed">Draws the random matrices.</param>
/// <param name="SaveProjection">Whether the random matrices are stored with the adapter.</param>
public sealed record VeraMethod(
    [Range(1, int.MaxValue)] int R = 256,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Dropout = 0,
    float DInitial = 0.1f,
    [Range(0, long.MaxValue)] long Seed = 0,
    bool SaveProjection = true) : BlockMethod
{
    private protected override TunerConfig Own(TuningTarget target) => new VeraConfig(R, Seed, SaveProjection, Dropout, DInitial);
}

/// <summary>MiSS: one matrix shared by all shards of a weight (Kang and Yin, 2024).</summary>
/// <param name="R">Rows of the shared matrix.</param>
/// <param name="Dropout">Dropout of the adapter's input.</param>
/// <param name="Bat">The variant that multiplies by the weight.</param>
public sealed record MissMethod([Range(1, int.MaxValue)] int R = 64, [Range(0.0, 1.0, MaximumIsExclusive = true)] float Dropout = 0, bool Bat = false) : BlockMethod
{
    private protected override TunerConfig Own(TuningTarget target) => new MissConfig(R, Dropout, InitWeights: Bat ? MissForm.Bat : null);
}

/// <summary>OFT: blocks of a layer's input are turned (Qiu et al., "Orthogonal Finetuning", 2023).</summary>
/// <param name="BlockSize">Inputs of a block.</param>
/// <param name="ModuleDropout">Share of blocks that training leaves unturned.</param>
/// <param name="BlockShare">Whether all blocks of a layer share one rotation.</param>
public sealed record OftMethod(
    [Range(1, int.MaxValue)] int BlockSize = 32, [Range(0.0, 1.0, MaximumIsExclusive = true)] float ModuleDropout = 0, bool BlockShare = false) : BlockMethod
{
    private protected override TunerConfig Own(TuningTarget target) => new OftConfig(OftBlockSize: BlockSize, ModuleDropout: ModuleDropout, BlockShare: BlockShare);
}
