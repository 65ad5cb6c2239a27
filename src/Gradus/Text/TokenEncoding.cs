namespace Gradus.Text;

/// <summary>A half-open range of a text.</summary>
/// <param name="Start">Where it begins.</param>
/// <param name="End">Where it ends, not included.</param>
public readonly record struct TokenRange(int Start, int End);

/// <summary>
/// The tokens of a text or a pair of texts, with where each came from. All lists have one entry per token: T of them.
/// </summary>
public sealed class TokenEncoding
{
    internal TokenEncoding(int length)
    {
        Ids = new int[length];
        TypeIds = new int[length];
        AttentionMask = new int[length];
        SpecialTokensMask = new int[length];
        WordIds = new int[length];
        SequenceIds = new int[length];
        Offsets = new TokenRange[length];
        Utf8Offsets = new TokenRange[length];
    }

    /// <summary>The number of tokens, T.</summary>
    public int Length => Ids.Length;

    /// <summary>The token ids: (T).</summary>
    public int[] Ids { get; }

    /// <summary>The segment of each token, 0 or 1 for most models: (T).</summary>
    public int[] TypeIds { get; }

    /// <summary>1 for a token, 0 for padding: (T).</summary>
    public int[] AttentionMask { get; }

    /// <summary>1 for tokens the tokenizer put there, padding included, 0 for tokens of the text: (T).</summary>
    public int[] SpecialTokensMask { get; }

    /// <summary>The number of the piece of text (pre-token) each token came from, from 0 on in each text; −1 for special tokens: (T).</summary>
    public int[] WordIds { get; }

    /// <summary>0 for tokens of the first text, 1 for the second, −1 for special tokens: (T).</summary>
    public int[] SequenceIds { get; }

    /// <summary>Where each token lies in its text, in UTF-16 units; (0, 0) for special tokens: (T).</summary>
    public TokenRange[] Offsets { get; }

    /// <summary>Where each token lies in its text, in bytes of UTF-8 (a lone surrogate counts as the three bytes of U+FFFD): (T).</summary>
    public TokenRange[] Utf8Offsets { get; }

    /// <summary>The parts that truncation cut off, in order, each as long as the encoding at most.</summary>
    public IReadOnlyList<TokenEncoding> Overflowing { get; internal set; } = [];

    internal void SetSpecial(int at, int id, int typeId, bool attend)
    {
        Ids[at] = id;
        TypeIds[at] = typeId;
        AttentionMask[at] = attend ? 1 : 0;
        SpecialTokensMask[at] = 1;
        WordIds[at] = -1;
        SequenceIds[at] = -1;
    }

    internal void CopyFrom(TokenEncoding source, int from, int to, int count)
    {
        Array.Copy(source.Ids, from, Ids, to, count);
        Array.Copy(source.TypeIds, from, TypeIds, to, count);
        Array.Copy(source.AttentionMask, from, AttentionMask, to, count);
        Array.Copy(source.SpecialTokensMask, from, SpecialTokensMask, to, count);
        Array.Copy(source.WordIds, from, WordIds, to, count);
        Array.Copy(source.SequenceIds, from, SequenceIds, to, count);
        Array.Copy(source.Offsets, from, Offsets, to, count);
        Array.Copy(source.Utf8Offsets, from, Utf8Offsets, to, count);
    }

    internal TokenEncoding Slice(int start, int count)
    {
        TokenEncoding part = new(count);
        part.CopyFrom(this, start, 0, count);
        return part;
    }
}
