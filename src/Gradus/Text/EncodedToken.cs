namespace Gradus.Text;

/// <summary>A token of a text.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Value">The token as the vocabulary writes it.</param>
/// <param name="Offset">Where it lies in the text, in UTF-16 units; empty for a token that no text stands behind.</param>
public readonly record struct EncodedToken(int Id, string Value, Range Offset);
