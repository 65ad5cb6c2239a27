namespace Gradus.Text;

/// <summary>What a <see cref="Tokenizer"/> is made of; only the model must be given.</summary>
/// <param name="Model">Turns pieces of text into ids.</param>
public sealed record TokenizerParts(TokenModel Model)
{
    /// <summary>Rewrites the text first; null leaves it as it is.</summary>
    public Normalizer? Normalizer { get; init; }

    /// <summary>Cuts the text into pieces; null makes it one piece.</summary>
    public PreTokenizer? PreTokenizer { get; init; }

    /// <summary>Puts special tokens around the ids; null adds none.</summary>
    public PostProcessor? PostProcessor { get; init; }

    /// <summary>Turns tokens back into text; null joins them with spaces.</summary>
    public TokenDecoder? Decoder { get; init; }

    /// <summary>Tokens found in the text as a whole. An id may lie in the model's vocabulary (with the same text) or after it.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>What is done with the text of special tokens; a SentencePiece model takes it as text.</summary>
    public SpecialTokenPolicy SpecialTokenPolicy { get; init; }

    /// <summary>Which tokens begin, end, pad and so on.</summary>
    public SpecialTokens SpecialTokens { get; init; } = SpecialTokens.None;

    /// <summary>The truncation the file asks for; a caller decides whether to apply it.</summary>
    public Truncation? Truncation { get; init; }

    /// <summary>The padding the file asks for; a caller decides whether to apply it.</summary>
    public Padding? Padding { get; init; }

    /// <summary>The chat template that came with the tokenizer, or null.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>The file that <see cref="ChatTemplate"/> was read from, for messages; null where it came from elsewhere.</summary>
    public string? ChatTemplateFile { get; init; }

    /// <summary>Chat templates for special uses, by their names, such as <c>tool_use</c>.</summary>
    public IReadOnlyDictionary<string, string> OtherChatTemplates { get; init; } = new Dictionary<string, string>();
}
