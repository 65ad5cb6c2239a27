// The working memory of one encode call, rented from the tokenizer and given back: after a few calls nothing is allocated any more.

namespace Gradus.Text;

internal sealed class EncodeScratch
{
    private const int HugeLength = 1 << 22;

    /// <summary>The original text as UTF-8.</summary>
    public byte[] Source = new byte[1024];

    public int[] Ids = new int[256];

    /// <summary>Start and end of each token in the original UTF-8; filled only when offsets are tracked.</summary>
    public int[] Starts = [];
    public int[] Ends = [];

    /// <summary>The number of the piece (pre-token) each token came from; filled only when offsets are tracked.</summary>
    public int[] Words = [];

    private TokenPairCache? _tokenPairs;
    private MergeMemory? _tokenMerge;

    public int Count;
    public int WordCount;
    public bool TrackOffsets;

    /// <summary>The text after normalization and pre-tokenization, on the general path.</summary>
    public readonly TextBuffer Text = new();
    public readonly TextBuffer Aside = new();
    public List<TextPiece> Pieces = [];
    public List<TextPiece> NextPieces = [];

    public readonly MatchCollector Matches = new();
    public readonly MergeMemory Merge = new();
    public WordCache? Cache;

    /// <summary>For byte-level BPE's search.</summary>
    public readonly DeadEnds DeadEnds = new();
    public TokenPairCache TokenPairs => _tokenPairs ??= new TokenPairCache();
    public MergeMemory TokenMerge => _tokenMerge ??= new MergeMemory();
    public SentenceLattice? Lattice;

    /// <summary>Whether keeping the memory would cost more than making it anew.</summary>
    public bool IsHuge => Math.Max(Source.Length, Math.Max(Ids.Length, Merge.Id.Length)) > HugeLength;

    public void Begin(bool trackOffsets)
    {
        Count = 0;
        WordCount = 0;
        TrackOffsets = trackOffsets;
    }

    /// <summary>Makes the next pieces the current ones.</summary>
    public void TakeNextPieces() => (Pieces, NextPieces) = (NextPieces, Pieces);

    /// <summary>Appends an id without offsets: the caller knows that they are not tracked, or sets them.</summary>
    public void Add(int id)
    {
        if (Count == Ids.Length)
            Array.Resize(ref Ids, Ids.Length * 2);
        Ids[Count++] = id;
    }

    public void AddRange(ReadOnlySpan<int> ids)
    {
        ids.CopyTo(Reserve(ids.Length));
        Count += ids.Length;
    }

    /// <summary>Room for ids at the end, which the caller fills and counts.</summary>
    public Span<int> Reserve(int count)
    {
        if (Count + count > Ids.Length)
            Array.Resize(ref Ids, Math.Max(Ids.Length * 2, Count + count));
        return Ids.AsSpan(Count, count);
    }

    /// <summary>Appends an id that covers <paramref name="start"/> to <paramref name="end"/> of the piece being encoded.</summary>
    public void Add(int id, int start, int end)
    {
        Add(id);
        if (TrackOffsets)
            SetOffsets(Count - 1, start, end);
    }

    public void SetOffsets(int index, int start, int end)
    {
        if (index >= Starts.Length)
        {
            Array.Resize(ref Starts, Ids.Length);
            Array.Resize(ref Ends, Ids.Length);
            Array.Resize(ref Words, Ids.Length);
        }
        Starts[index] = start;
        Ends[index] = end;
        Words[index] = WordCount;
    }

    /// <summary>Turns offsets in a piece of the working text, from token <paramref name="from"/> on, into offsets in the original UTF-8.</summary>
    public void MapOffsets(int from, int pieceStart)
    {
        for (int i = from; i < Count; i++)
        {
            (int start, int end) = Text.Origin(pieceStart + Starts[i], pieceStart + Ends[i]);
            Starts[i] = start;
            Ends[i] = end;
        }
    }
}

/// <summary>A piece of the working text: a half-open range of its bytes.</summary>
internal readonly record struct TextPiece(int Start, int End);
