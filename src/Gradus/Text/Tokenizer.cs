// The whole way from text to ids and back: added tokens → normalizer → pre-tokenizer → model → post-processor, and the decoder.
// It is Hugging Face's pipeline, so that tokenizer.json loads and saves as it stands; every other format becomes one of these.
// Encode never truncates or pads: what the file asks for is given by Truncation and Padding, and applied where a caller passes it.

using System.Buffers;
using System.Collections.Concurrent;

namespace Gradus.Text;

/// <summary>
/// Text to token ids and back. Immutable and safe for use by many threads at once; encoding allocates nothing per token.
/// Characters that are no Unicode text (lone surrogates) are read as U+FFFD.
/// </summary>
public sealed partial class Tokenizer
{
    private readonly TokenizerParts _parts;
    private readonly Dictionary<int, AddedToken> _addedById = [];
    private readonly Dictionary<string, int> _addedByContent = new(StringComparer.Ordinal);
    private readonly AddedTokenMatcher? _rawMatcher;
    private readonly AddedTokenMatcher? _normalizedMatcher;
    private readonly PatternSplitter? _splitter;
    private readonly ConcurrentBag<EncodeScratch> _pool = [];
    private readonly IReadOnlyList<TemplatePart> _single;

    /// <summary>A tokenizer from its parts.</summary>
    /// <param name="parts">The parts.</param>
    /// <exception cref="InvalidDataException">Two added tokens share an id or a text, or one has another id than the model gives its text.</exception>
    public Tokenizer(TokenizerParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        _parts = parts;
        VocabularySize = parts.Model.Vocabulary.Count;
        foreach (AddedToken token in parts.AddedTokens)
            Register(token);
        _rawMatcher = CreateMatcher(normalized: false);
        _normalizedMatcher = CreateMatcher(normalized: true);
        _splitter = FindSplitter(parts);
        _single = parts.PostProcessor?.Single ?? [TemplatePart.First];
        SpecialTokens special = parts.SpecialTokens;
        BosId = Id(special.Bos);
        EosId = Id(special.Eos);
        PadId = Id(special.Pad);
        UnknownId = Id(special.Unknown) ?? parts.Model.UnknownId;
        SeparatorId = Id(special.Separator);
        ClassifierId = Id(special.Classifier);
        MaskId = Id(special.Mask);
        EndOfText = EosId ?? TokenToId("<|endoftext|>") ?? TokenToId("</s>") ?? SeparatorId;

        int? Id(string? token) => token is null ? null : TokenToId(token);
    }

    /// <summary>The parts the tokenizer is made of.</summary>
    public TokenizerParts Parts => _parts;

    /// <summary>One more than the largest id: the rows an embedding needs.</summary>
    public int VocabularySize { get; private set; }

    /// <summary>The id that begins a text, or null.</summary>
    public int? BosId { get; }

    /// <summary>The id that ends a text and a model's answer, or null.</summary>
    public int? EosId { get; }

    /// <summary>The id that fills a batch, or null.</summary>
    public int? PadId { get; }

    /// <summary>The id for what the vocabulary does not have, or null.</summary>
    public int? UnknownId { get; }

    /// <summary>The id that parts two texts, or null.</summary>
    public int? SeparatorId { get; }

    /// <summary>The id that begins a text whose summary is read at its place, or null.</summary>
    public int? ClassifierId { get; }

    /// <summary>The id of a token to be guessed, or null.</summary>
    public int? MaskId { get; }

    /// <summary>The id that parts documents in training data: the end-of-text token where there is one.</summary>
    public int? EndOfText { get; }

    /// <summary>The id of a token written as tokenizer.json writes it, or null.</summary>
    public int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _addedByContent.TryGetValue(token, out int id) ? id : _parts.Model.Vocabulary.Find(token);
    }

    /// <summary>A token written as tokenizer.json writes it, or null where no token has the id.</summary>
    public string? IdToToken(int id) => _addedById.TryGetValue(id, out AddedToken? added) ? added.Content : _parts.Model.Vocabulary.GetToken(id);

    /// <summary>Whether an id is a special token.</summary>
    public bool IsSpecial(int id) => _addedById.TryGetValue(id, out AddedToken? added) && added.Special;

    /// <summary>The ids of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Whether the post-processor's special tokens are put around it.</param>
    public int[] Encode(string text, bool addSpecialTokens = true) => Encode(text.AsSpan(), addSpecialTokens);

    /// <summary>The ids of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Whether the post-processor's special tokens are put around it.</param>
    public int[] Encode(ReadOnlySpan<char> text, bool addSpecialTokens = true)
    {
        EncodeScratch scratch = Rent();
        EncodeIds(text, addSpecialTokens, scratch);
        int[] ids = scratch.Ids.AsSpan(0, scratch.Count).ToArray();
        Return(scratch);
        return ids;
    }

    /// <summary>Appends the ids of a text to a buffer.</summary>
    /// <param name="text">The text.</param>
    /// <param name="destination">Where the ids go.</param>
    /// <param name="addSpecialTokens">Whether the post-processor's special tokens are put around it.</param>
    public void Encode(ReadOnlySpan<char> text, IBufferWriter<int> destination, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(destination);
        EncodeScratch scratch = Rent();
        EncodeIds(text, addSpecialTokens, scratch);
        destination.Write(scratch.Ids.AsSpan(0, scratch.Count));
        Return(scratch);
    }

    /// <summary>Appends the ids of a text in UTF-8 to a buffer; bytes that are no UTF-8 are read as U+FFFD.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="destination">Where the ids go.</param>
    /// <param name="addSpecialTokens">Whether the post-processor's special tokens are put around it.</param>
    public void EncodeUtf8(ReadOnlySpan<byte> utf8, IBufferWriter<int> destination, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (!System.Text.Unicode.Utf8.IsValid(utf8))
        {
            Encode(System.Text.Encoding.UTF8.GetString(utf8), destination, addSpecialTokens);
            return;
        }
        EncodeScratch scratch = Rent();
        scratch.Begin(trackOffsets: false);
        AddTemplate(utf8, addSpecialTokens, scratch);
        destination.Write(scratch.Ids.AsSpan(0, scratch.Count));
        Return(scratch);
    }

    /// <summary>How many tokens a text has.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Whether the post-processor's special tokens count.</param>
    public int CountTokens(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        EncodeScratch scratch = Rent();
        EncodeIds(text, addSpecialTokens, scratch);
        int count = scratch.Count;
        Return(scratch);
        return count;
    }

    /// <summary>How much of a text its first tokens cover.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maxTokens">The most tokens, 0 or more.</param>
    /// <param name="tokenCount">How many tokens the part has.</param>
    /// <returns>The length in UTF-16 units of the longest part from the start that has at most so many tokens and ends between characters.</returns>
    public int IndexOfTokenCount(ReadOnlySpan<char> text, int maxTokens, out int tokenCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxTokens);
        return TokenCutting.FromStart(EncodeWithOffsets(text, addSpecialTokens: false), text.Length, maxTokens, out tokenCount);
    }

    /// <summary>The ids of many texts, in their order, on all cores.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="addSpecialTokens">Whether the post-processor's special tokens are put around each.</param>
    /// <param name="maxThreads">The most threads, or null for one a core.</param>
    public int[][] EncodeBatch(IReadOnlyList<string> texts, bool addSpecialTokens = true, int? maxThreads = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        int[][] results = new int[texts.Count][];
        Parallel.For(0, texts.Count, new ParallelOptions { MaxDegreeOfParallelism = maxThreads ?? Environment.ProcessorCount },
            i => results[i] = Encode(texts[i], addSpecialTokens));
        return results;
    }

    /// <summary>The same tokenizer with more added tokens.</summary>
    /// <param name="contents">Their texts; those that are tokens already keep their ids, the others get ids after the last one.</param>
    /// <param name="special">Whether they are special.</param>
    public Tokenizer WithAddedTokens(IEnumerable<string> contents, bool special = true)
    {
        ArgumentNullException.ThrowIfNull(contents);
        List<AddedToken> added = [.. _parts.AddedTokens];
        int next = VocabularySize;
        foreach (string content in contents)
        {
            if (_addedByContent.ContainsKey(content) || added.Any(a => a.Content == content))
                continue;
            added.Add(new AddedToken(_parts.Model.Vocabulary.Find(content) ?? next++, content, special, Normalized: !special));
        }
        return new Tokenizer(_parts with { AddedTokens = added });
    }

    /// <summary>The same tokenizer with another way with the text of special tokens.</summary>
    /// <param name="policy">The way.</param>
    public Tokenizer WithSpecialTokenPolicy(SpecialTokenPolicy policy) => new(_parts with { SpecialTokenPolicy = policy });

    private void Register(AddedToken token)
    {
        if (token.Content.Length == 0)
            throw new InvalidDataException($"added_tokens: the token with id {token.Id} has no text. Give it one, or take it out.");
        if (token.Id is < 0 or >= 1 << 24)
            throw new InvalidDataException($"added_tokens: \"{token.Content}\" has id {token.Id}; ids lie between 0 and {(1 << 24) - 1}.");
        if (_addedByContent.TryGetValue(token.Content, out int other) && other != token.Id)
            throw new InvalidDataException($"added_tokens: \"{token.Content}\" has two ids, {other} and {token.Id}. Keep one of them.");
        if (_addedById.TryGetValue(token.Id, out AddedToken? same) && same.Content != token.Content)
            throw new InvalidDataException($"added_tokens: the id {token.Id} has two texts, \"{same.Content}\" and \"{token.Content}\". Keep one of them.");
        _addedById[token.Id] = token;
        _addedByContent[token.Content] = token.Id;
        VocabularySize = Math.Max(VocabularySize, token.Id + 1);
    }

    private AddedTokenMatcher? CreateMatcher(bool normalized)
    {
        List<(AddedToken, byte[])> tokens = [];
        foreach (AddedToken token in _parts.AddedTokens)
        {
            if (token.Normalized != normalized || (token.Special && _parts.SpecialTokenPolicy == SpecialTokenPolicy.Text))
                continue;
            byte[] pattern = System.Text.Encoding.UTF8.GetBytes(token.Content);
            if (normalized && _parts.Normalizer is { } normalizer)
            {
                TextBuffer text = new();
                text.Load(pattern, 0, track: false);
                normalizer.Apply(text);
                pattern = text.Span.ToArray();
            }
            tokens.Add((token, pattern));
        }
        return tokens.Count == 0 ? null : new AddedTokenMatcher(tokens);
    }

    /// <summary>The splitter of byte-level pipelines that do nothing but split by a known pattern: they need no working text.</summary>
    private static PatternSplitter? FindSplitter(TokenizerParts parts)
    {
        if (!parts.Model.Vocabulary.IsByteLevel)
            return null;
        return parts.PreTokenizer switch
        {
            ByteLevelPreTokenizer { AddPrefixSpace: false, UseRegex: true } => PatternSplitter.Gpt2,
            SplitPreTokenizer { Isolates: true, Splitter: { } splitter } => splitter,
            PreTokenizerSequence { Parts: [SplitPreTokenizer { Isolates: true, Splitter: { } splitter }, ByteLevelPreTokenizer { AddPrefixSpace: false, UseRegex: false }] } => splitter,
            _ => null,
        };
    }
}
