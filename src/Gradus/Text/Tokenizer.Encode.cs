using System.Text;

namespace Gradus.Text;

// The way from text to ids, over pooled memory.
public sealed partial class Tokenizer
{
    /// <summary>The tokens of a text with where each came from.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Whether the post-processor's special tokens are put around it.</param>
    /// <param name="truncation">How it is cut where it is too long, or null.</param>
    public TokenEncoding EncodeWithOffsets(ReadOnlySpan<char> text, bool addSpecialTokens = true, Truncation? truncation = null)
    {
        TokenEncoding plain = EncodePlain(text, 0);
        return EncodingAssembly.Assemble(_parts.PostProcessor, plain, null, addSpecialTokens, truncation);
    }

    /// <summary>The tokens of a pair of texts, such as a question and a passage.</summary>
    /// <param name="first">The first text.</param>
    /// <param name="second">The second text.</param>
    /// <param name="addSpecialTokens">Whether the post-processor's special tokens are put around them.</param>
    /// <param name="truncation">How the pair is cut where it is too long, or null.</param>
    public TokenEncoding EncodePair(ReadOnlySpan<char> first, ReadOnlySpan<char> second, bool addSpecialTokens = true, Truncation? truncation = null)
    {
        TokenEncoding a = EncodePlain(first, 0);
        TokenEncoding b = EncodePlain(second, 1);
        return EncodingAssembly.Assemble(_parts.PostProcessor, a, b, addSpecialTokens, truncation);
    }

    /// <summary>The most probable ways to cut a text with a unigram model, the best first; no special tokens.</summary>
    /// <param name="text">The text; it must have no added tokens in it.</param>
    /// <param name="count">How many ways, 1 or more; fewer come where there are not so many.</param>
    /// <exception cref="NotSupportedException">The model is no unigram model, or it cuts text into pieces first.</exception>
    public IReadOnlyList<int[]> EncodeNBest(ReadOnlySpan<char> text, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (_parts.Model is not Unigram unigram || _parts.PreTokenizer is not null)
            throw new NotSupportedException("The most probable segmentations are known only for unigram models that see the whole text, as SentencePiece's do.");
        return unigram.NBest(Encoding.UTF8.GetBytes(Normalize(text)), count);
    }

    /// <summary>The text as the normalizer leaves it, all of it in one part.</summary>
    /// <param name="text">The text.</param>
    public string Normalize(ReadOnlySpan<char> text)
    {
        TextBuffer buffer = new();
        buffer.Load(Encoding.UTF8.GetBytes(text.ToString()), 0, track: false);
        _parts.Normalizer?.Apply(buffer);
        return Encoding.UTF8.GetString(buffer.Span);
    }

    /// <summary>Makes encodings equally long.</summary>
    /// <param name="encodings">The encodings.</param>
    /// <param name="padding">How.</param>
    /// <returns>The encodings in their order; those that are long enough are the same objects.</returns>
    public static IReadOnlyList<TokenEncoding> Pad(IReadOnlyList<TokenEncoding> encodings, Padding padding)
    {
        ArgumentNullException.ThrowIfNull(encodings);
        ArgumentNullException.ThrowIfNull(padding);
        return EncodingAssembly.Pad(encodings, padding);
    }

    private EncodeScratch Rent() => _pool.TryTake(out EncodeScratch? scratch) ? scratch : new EncodeScratch();

    /// <summary>Gives working memory back, unless a huge text has made it huge.</summary>
    private void Return(EncodeScratch scratch)
    {
        if (!scratch.IsHuge)
            _pool.Add(scratch);
    }

    private void EncodeIds(ReadOnlySpan<char> text, bool addSpecialTokens, EncodeScratch scratch)
    {
        scratch.Begin(trackOffsets: false);
        AddTemplate(Transcode(text, scratch), addSpecialTokens, scratch);
    }

    private static ReadOnlySpan<byte> Transcode(ReadOnlySpan<char> text, EncodeScratch scratch)
    {
        int most = Encoding.UTF8.GetMaxByteCount(Math.Min(text.Length, 1 << 16));
        if (text.Length > 1 << 16)
            most = Encoding.UTF8.GetByteCount(text);
        if (scratch.Source.Length < most)
            scratch.Source = new byte[Math.Max(most, scratch.Source.Length * 2)];
        int n = Encoding.UTF8.GetBytes(text, scratch.Source);
        return scratch.Source.AsSpan(0, n);
    }

    private void AddTemplate(ReadOnlySpan<byte> utf8, bool addSpecialTokens, EncodeScratch scratch)
    {
        if (!addSpecialTokens)
        {
            EncodeText(utf8, scratch);
            return;
        }
        foreach (TemplatePart part in _single)
        {
            if (part.Slot == TemplateSlot.First)
            {
                EncodeText(utf8, scratch);
                continue;
            }
            foreach (int id in part.Ids)
                scratch.Add(id);
        }
    }

    private void EncodeText(ReadOnlySpan<byte> text, EncodeScratch scratch)
    {
        if (_rawMatcher is null)
        {
            EncodeSegment(text, 0, text.Length, scratch);
            return;
        }
        int at = 0;
        while (at < text.Length)
        {
            AddedToken? token = _rawMatcher.Find(text, at, findSpecial: true, out int start, out int end);
            if (token is { Special: true } && _parts.SpecialTokenPolicy == SpecialTokenPolicy.Reject)
                throw new ArgumentException($"The text holds the special token {token.Content} at byte {start}. Encode it with {nameof(SpecialTokenPolicy)}.{nameof(SpecialTokenPolicy.Text)} to take it as text, or with {nameof(SpecialTokenPolicy.Find)} to take it as the token.");
            EncodeSegment(text, at, start, scratch);
            if (token is not null)
                AddWhole(token.Id, start, end, scratch);
            at = end;
        }
    }

    private static void AddWhole(int id, int start, int end, EncodeScratch scratch)
    {
        scratch.Add(id, start, end);
        scratch.WordCount++;
    }

    /// <summary>Encodes the text between two added tokens.</summary>
    private void EncodeSegment(ReadOnlySpan<byte> text, int start, int end, EncodeScratch scratch)
    {
        if (start >= end)
            return;
        ReadOnlySpan<byte> segment = text[start..end];
        bool unchanged = _parts.Normalizer is null || _parts.Normalizer.LeavesUnchanged(segment);
        if (_splitter is not null && unchanged && _normalizedMatcher is null && !scratch.TrackOffsets)
        {
            EncodeSplit(segment, scratch);
            return;
        }
        scratch.Text.Load(segment, start, scratch.TrackOffsets);
        if (!unchanged)
            _parts.Normalizer!.Apply(scratch.Text);
        if (_normalizedMatcher is null)
            EncodeNormalized(scratch);
        else
            EncodeAroundNormalizedTokens(scratch);
    }

    /// <summary>The fast path: split and encode straight from the text.</summary>
    private void EncodeSplit(ReadOnlySpan<byte> text, EncodeScratch scratch)
    {
        TokenModel model = _parts.Model;
        PatternSplitter splitter = _splitter!;
        for (int i = 0; i < text.Length;)
        {
            int end = splitter.Next(text, i);
            model.Encode(text[i..end], scratch);
            i = end;
        }
    }

    private void EncodeAroundNormalizedTokens(EncodeScratch scratch)
    {
        AddedToken? token = _normalizedMatcher!.Find(scratch.Text.Span, 0, findSpecial: true, out int start, out int end);
        if (token is null)
        {
            EncodeNormalized(scratch);
            return;
        }
        // Pre-tokenizers rewrite the working text, so that the normalized one is kept aside.
        TextBuffer normalized = scratch.Aside;
        normalized.LoadPart(scratch.Text, 0, scratch.Text.Length);
        int at = 0;
        while (at < normalized.Length)
        {
            if (at > 0)
                token = _normalizedMatcher.Find(normalized.Span, at, findSpecial: true, out start, out end);
            scratch.Text.LoadPart(normalized, at, start);
            EncodeNormalized(scratch);
            if (token is not null)
            {
                (int from, int to) = normalized.Origin(start, end);
                AddWhole(token.Id, from, to, scratch);
            }
            at = end;
        }
    }

    private void EncodeNormalized(EncodeScratch scratch)
    {
        if (scratch.Text.Length == 0)
            return;
        scratch.Pieces.Clear();
        scratch.Pieces.Add(new TextPiece(0, scratch.Text.Length));
        _parts.PreTokenizer?.Apply(scratch);
        foreach (TextPiece piece in scratch.Pieces)
        {
            int before = scratch.Count;
            _parts.Model.Encode(scratch.Text.Span[piece.Start..piece.End], scratch);
            if (scratch.TrackOffsets)
            {
                scratch.MapOffsets(before, piece.Start);
                scratch.WordCount++;
            }
        }
    }

    private TokenEncoding EncodePlain(ReadOnlySpan<char> text, int sequence)
    {
        EncodeScratch scratch = Rent();
        scratch.Begin(trackOffsets: true);
        ReadOnlySpan<byte> utf8 = Transcode(text, scratch);
        EncodeText(utf8, scratch);
        TokenEncoding encoding = new(scratch.Count);
        Utf16Position position = new(utf8);
        bool trim = _parts.PostProcessor?.TrimOffsets == true;
        bool keepFirst = trim && _parts.PostProcessor!.AddPrefixSpace;
        Vocabulary vocabulary = _parts.Model.Vocabulary;
        for (int i = 0; i < scratch.Count; i++)
        {
            int start = scratch.Starts[i];
            int end = scratch.Ends[i];
            if (trim)
            {
                int id = scratch.Ids[i];
                // An added token counts with the white space that it took.
                bool isAdded = _addedById.ContainsKey(id);
                bool isRaw = vocabulary.IsByteLevel && !isAdded && !vocabulary.IsOpaque(id);
                OffsetTrimming.Apply(utf8, isAdded ? utf8[start..end] : vocabulary.GetBytes(id), isRaw, keepFirst && (i == 0 || start == 0), ref start, ref end);
            }
            encoding.Ids[i] = scratch.Ids[i];
            encoding.TypeIds[i] = sequence;
            encoding.AttentionMask[i] = 1;
            encoding.SequenceIds[i] = sequence;
            encoding.WordIds[i] = scratch.Words[i];
            encoding.Utf8Offsets[i] = new TokenRange(start, end);
            int from = position.Of(start);
            encoding.Offsets[i] = new TokenRange(from, position.Of(end));
        }
        Return(scratch);
        return encoding;
    }

    /// <summary>Turns places in UTF-8 into places in UTF-16; cheap where each is near the last.</summary>
    private ref struct Utf16Position(ReadOnlySpan<byte> utf8)
    {
        private readonly ReadOnlySpan<byte> _utf8 = utf8;
        private int _byte;
        private int _unit;

        public int Of(int target)
        {
            while (_byte < target)
            {
                int n = CharacterClasses.LengthOf(_utf8[_byte]);
                _byte += n;
                _unit += n == 4 ? 2 : 1;
            }
            while (_byte > target)
            {
                int previous = CharacterClasses.Previous(_utf8, _byte);
                _unit -= _byte - previous == 4 ? 2 : 1;
                _byte = previous;
            }
            return _unit;
        }
    }
}
