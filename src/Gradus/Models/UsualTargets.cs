namespace Gradus.Models;

/// <summary>The layers of an architecture that methods of fine-tuning with few parameters usually change: PEFT's and adapter-hub's where they know it, else those of the same part.</summary>
/// <param name="Attention">Projections of attention, by the ends of their paths: LoRA and its like.</param>
/// <param name="Scaled">Layers whose outputs are scaled, and last the feed-forward layer whose inputs are: IA³.</param>
public sealed record UsualTargets(IReadOnlyList<string> Attention, IReadOnlyList<string> Scaled)
{
    /// <summary>Where parts of a block are added to the residual stream: bottleneck adapters. Empty where they have no form here.</summary>
    public IReadOnlyList<ResidualSite> Residuals { get; init; } = [];
}

/// <summary>The end of a part of a block, at which its result is added to the residual stream.</summary>
/// <param name="Linear">The end of the path of the part's last linear layer.</param>
/// <param name="Adapter">What takes that end's place in the names of adapter-hub.</param>
/// <param name="Part">The part.</param>
/// <param name="Norm">The end of the path of the norm that follows, in post-norm blocks; else null.</param>
public sealed record ResidualSite(string Linear, string Adapter, BlockPart Part, string? Norm = null);

/// <summary>Parts of a block.</summary>
public enum BlockPart
{
    /// <summary>Attention to the sequence itself.</summary>
    Attention,

    /// <summary>Attention to what an encoder read.</summary>
    SourceAttention,

    /// <summary>The feed-forward layer.</summary>
    FeedForward,
}
