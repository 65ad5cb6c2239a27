namespace Gradus.Text;

/// <summary>The tokens with a part of their own, as tokenizer_config.json and special_tokens_map.json name them; null where there is none.</summary>
/// <param name="Bos">Begins a text.</param>
/// <param name="Eos">Ends a text, and a model's answer.</param>
/// <param name="Unknown">Stands for what the vocabulary does not have.</param>
/// <param name="Pad">Fills a batch.</param>
/// <param name="Separator">Parts two texts ([SEP]).</param>
/// <param name="Classifier">Begins a text whose summary is read at its place ([CLS]).</param>
/// <param name="Mask">Stands for a token to be guessed.</param>
public sealed record SpecialTokens(
    string? Bos = null,
    string? Eos = null,
    string? Unknown = null,
    string? Pad = null,
    string? Separator = null,
    string? Classifier = null,
    string? Mask = null)
{
    /// <summary>No special tokens.</summary>
    public static SpecialTokens None { get; } = new();
}
