namespace Gradus.Text;

/// <summary>Which of a pair of texts gives up tokens.</summary>
public enum TruncationStrategy
{
    /// <summary>The longer one, token by token.</summary>
    LongestFirst,

    /// <summary>The first text.</summary>
    OnlyFirst,

    /// <summary>The second text.</summary>
    OnlySecond,
}

/// <summary>The side of a text on which tokens are taken away or added.</summary>
public enum TextSide
{
    /// <summary>The start.</summary>
    Left,

    /// <summary>The end.</summary>
    Right,
}

/// <summary>How an encoding that is too long is cut.</summary>
/// <param name="MaxLength">The most tokens, special ones included; at least 1.</param>
/// <param name="Strategy">Which text of a pair is cut.</param>
/// <param name="Stride">How many tokens a part that was cut off repeats of the one before it; less than the room for text.</param>
/// <param name="Direction">The side that is cut.</param>
public sealed record Truncation(int MaxLength, TruncationStrategy Strategy = TruncationStrategy.LongestFirst, int Stride = 0, TextSide Direction = TextSide.Right);

/// <summary>How the encodings of a batch are made equally long.</summary>
/// <param name="PadId">The id of the padding token.</param>
/// <param name="PadToken">Its text.</param>
/// <param name="PadTypeId">The segment number of padding.</param>
/// <param name="FixedLength">The length of every encoding, or null for that of the longest.</param>
/// <param name="Direction">The side that is padded.</param>
/// <param name="MultipleOf">The length is rounded up to a multiple of this, at least 1; null does not round.</param>
public sealed record Padding(int PadId, string PadToken = "[PAD]", int PadTypeId = 0, int? FixedLength = null, TextSide Direction = TextSide.Right, int? MultipleOf = null);
