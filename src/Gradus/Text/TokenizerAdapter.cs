// A tokenizer with the methods of Microsoft.ML.Tokenizers.Tokenizer (1.0), name for name and argument for argument, so that code written for
// that class takes a tokenizer of Gradus by a change of type. Not derived from it: that would tie every user to the package.
// Differs in one thing, for the better: places always refer to the text that was given, and so normalizedText is always null, which is that
// class's own way of saying so. (normalizedText ?? text)[..index] is right with both.

namespace Gradus.Text;

/// <summary>
/// Encode, decode and count over spans, in the shape of Microsoft.ML.Tokenizers. Immutable and safe for use by many threads at once.
/// </summary>
public sealed partial class TokenizerAdapter
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _addSpecialTokens;
    private readonly bool _skipSpecialTokens;

    // The same tokenizer without its normalizer, its pre-tokenizer, or both; made when first asked for.
    private readonly Lazy<Tokenizer>[] _reduced;
    private readonly int[] _before;
    private readonly int[] _after;

    /// <summary>An adapter over a tokenizer.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="addSpecialTokens">Whether the tokens that the post-processor puts around a text are put there, and count.</param>
    /// <param name="skipSpecialTokens">Whether decoding leaves special tokens out.</param>
    public TokenizerAdapter(Tokenizer tokenizer, bool addSpecialTokens = false, bool skipSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _addSpecialTokens = addSpecialTokens;
        _skipSpecialTokens = skipSpecialTokens;
        TokenizerParts parts = tokenizer.Parts;
        _reduced =
        [
            new(tokenizer),
            new(() => new Tokenizer(parts with { Normalizer = null })),
            new(() => new Tokenizer(parts with { PreTokenizer = null })),
            new(() => new Tokenizer(parts with { Normalizer = null, PreTokenizer = null })),
        ];
        IReadOnlyList<TemplatePart> template = addSpecialTokens && parts.PostProcessor is { } processor ? processor.Single : [TemplatePart.First];
        int text = template.TakeWhile(p => p.Slot != TemplateSlot.First).Count();
        _before = [.. template.Take(text).SelectMany(p => p.Ids)];
        _after = [.. template.Skip(text).SelectMany(p => p.Ids)];
    }

    /// <summary>The tokenizer behind the adapter.</summary>
    public Tokenizer Inner => _tokenizer;

    /// <summary>The ids of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="considerPreTokenization">Whether the pre-tokenizer runs.</param>
    /// <param name="considerNormalization">Whether the normalizer runs.</param>
    public IReadOnlyList<int> EncodeToIds(string text, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return EncodeToIds(text.AsSpan(), considerPreTokenization, considerNormalization);
    }

    /// <inheritdoc cref="EncodeToIds(string, bool, bool)"/>
    public IReadOnlyList<int> EncodeToIds(ReadOnlySpan<char> text, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        return For(considerPreTokenization, considerNormalization).Encode(text, _addSpecialTokens);
    }

    /// <summary>The ids of as much of a text, from its start on, as has at most so many tokens.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maxTokenCount">The most tokens, 1 or more; special tokens count, and are never the ones that are left out.</param>
    /// <param name="normalizedText">Always null: <paramref name="charsConsumed"/> refers to <paramref name="text"/>.</param>
    /// <param name="charsConsumed">How many UTF-16 units of the text the ids stand for.</param>
    /// <param name="considerPreTokenization">Whether the pre-tokenizer runs.</param>
    /// <param name="considerNormalization">Whether the normalizer runs.</param>
    public IReadOnlyList<int> EncodeToIds(string text, int maxTokenCount, out string? normalizedText, out int charsConsumed, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return EncodeToIds(text.AsSpan(), maxTokenCount, out normalizedText, out charsConsumed, considerPreTokenization, considerNormalization);
    }

    /// <inheritdoc cref="EncodeToIds(string, int, out string, out int, bool, bool)"/>
    public IReadOnlyList<int> EncodeToIds(ReadOnlySpan<char> text, int maxTokenCount, out string? normalizedText, out int charsConsumed, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxTokenCount);
        normalizedText = null;
        charsConsumed = 0;
        int most = maxTokenCount - _before.Length - _after.Length;
        if (most < 0)
            return [];
        TokenEncoding encoding = For(considerPreTokenization, considerNormalization).EncodeWithOffsets(text, addSpecialTokens: false);
        charsConsumed = TokenCutting.FromStart(encoding, text.Length, most, out int count);
        return [.. _before, .. encoding.Ids.AsSpan(0, count), .. _after];
    }

    /// <summary>The tokens of a text with where each came from.</summary>
    /// <param name="text">The text.</param>
    /// <param name="normalizedText">Always null: offsets refer to <paramref name="text"/>.</param>
    /// <param name="considerPreTokenization">Whether the pre-tokenizer runs.</param>
    /// <param name="considerNormalization">Whether the normalizer runs.</param>
    public IReadOnlyList<EncodedToken> EncodeToTokens(string text, out string? normalizedText, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return EncodeToTokens(text.AsSpan(), out normalizedText, considerPreTokenization, considerNormalization);
    }

    /// <inheritdoc cref="EncodeToTokens(string, out string, bool, bool)"/>
    public IReadOnlyList<EncodedToken> EncodeToTokens(ReadOnlySpan<char> text, out string? normalizedText, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        normalizedText = null;
        TokenEncoding encoding = For(considerPreTokenization, considerNormalization).EncodeWithOffsets(text, _addSpecialTokens);
        EncodedToken[] tokens = new EncodedToken[encoding.Length];
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = new EncodedToken(encoding.Ids[i], _tokenizer.IdToToken(encoding.Ids[i]) ?? "", encoding.Offsets[i].Start..encoding.Offsets[i].End);
        return tokens;
    }

    /// <summary>How many tokens a text has.</summary>
    /// <param name="text">The text.</param>
    /// <param name="considerPreTokenization">Whether the pre-tokenizer runs.</param>
    /// <param name="considerNormalization">Whether the normalizer runs.</param>
    public int CountTokens(string text, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return CountTokens(text.AsSpan(), considerPreTokenization, considerNormalization);
    }

    /// <inheritdoc cref="CountTokens(string, bool, bool)"/>
    public int CountTokens(ReadOnlySpan<char> text, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        return For(considerPreTokenization, considerNormalization).CountTokens(text, _addSpecialTokens);
    }

    /// <summary>Where the longest part from the start of a text ends that has at most so many tokens.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maxTokenCount">The most tokens, 1 or more; special tokens count.</param>
    /// <param name="normalizedText">Always null: the index refers to <paramref name="text"/>.</param>
    /// <param name="tokenCount">How many tokens the part has.</param>
    /// <param name="considerPreTokenization">Whether the pre-tokenizer runs.</param>
    /// <param name="considerNormalization">Whether the normalizer runs.</param>
    /// <returns>An index between characters: the part is <c>text[..index]</c>.</returns>
    public int GetIndexByTokenCount(string text, int maxTokenCount, out string? normalizedText, out int tokenCount, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return GetIndexByTokenCount(text.AsSpan(), maxTokenCount, out normalizedText, out tokenCount, considerPreTokenization, considerNormalization);
    }

    /// <inheritdoc cref="GetIndexByTokenCount(string, int, out string, out int, bool, bool)"/>
    public int GetIndexByTokenCount(ReadOnlySpan<char> text, int maxTokenCount, out string? normalizedText, out int tokenCount, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        tokenCount = EncodeToIds(text, maxTokenCount, out normalizedText, out int index, considerPreTokenization, considerNormalization).Count;
        return index;
    }

    /// <summary>Where the longest part at the end of a text begins that has at most so many of the whole text's tokens.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maxTokenCount">The most tokens, 1 or more; special tokens count.</param>
    /// <param name="normalizedText">Always null: the index refers to <paramref name="text"/>.</param>
    /// <param name="tokenCount">How many tokens the part has.</param>
    /// <param name="considerPreTokenization">Whether the pre-tokenizer runs.</param>
    /// <param name="considerNormalization">Whether the normalizer runs.</param>
    /// <returns>An index between characters: the part is <c>text[index..]</c>.</returns>
    public int GetIndexByTokenCountFromEnd(string text, int maxTokenCount, out string? normalizedText, out int tokenCount, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return GetIndexByTokenCountFromEnd(text.AsSpan(), maxTokenCount, out normalizedText, out tokenCount, considerPreTokenization, considerNormalization);
    }

    /// <inheritdoc cref="GetIndexByTokenCountFromEnd(string, int, out string, out int, bool, bool)"/>
    public int GetIndexByTokenCountFromEnd(ReadOnlySpan<char> text, int maxTokenCount, out string? normalizedText, out int tokenCount, bool considerPreTokenization = true, bool considerNormalization = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxTokenCount);
        normalizedText = null;
        tokenCount = 0;
        int around = _before.Length + _after.Length;
        if (maxTokenCount < around)
            return text.Length;
        TokenEncoding encoding = For(considerPreTokenization, considerNormalization).EncodeWithOffsets(text, addSpecialTokens: false);
        int index = TokenCutting.FromEnd(encoding, text.Length, maxTokenCount - around, out int count);
        tokenCount = count + around;
        return index;
    }

    private Tokenizer For(bool considerPreTokenization, bool considerNormalization) => _reduced[(considerNormalization ? 0 : 1) + (considerPreTokenization ? 0 : 2)].Value;
}
