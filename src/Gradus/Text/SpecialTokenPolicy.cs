namespace Gradus.Text;

/// <summary>What is done where the text of a special token stands in the text to be encoded.</summary>
public enum SpecialTokenPolicy
{
    /// <summary>It becomes the special token: for text that a program put together, such as a rendered chat template.</summary>
    Find,

    /// <summary>It is text like any other: for text from outside, which must not be able to end a turn.</summary>
    Text,

    /// <summary>Encoding throws <see cref="ArgumentException"/>: tiktoken's default.</summary>
    Reject,
}
