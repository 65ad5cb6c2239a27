// Byte-pair encoding: start from bytes or characters and join the pair of lowest rank, the leftmost first, until none is left.
// One model serves the three ways in which files say what joins: Hugging Face lists pairs; tiktoken and SentencePiece rank the joined
// token itself. Sources: Sennrich et al. 2016 (arXiv:1508.07909), GPT-2's encoder.py, Hugging Face tokenizers (models/bpe), SentencePiece.
// Leaves out: BPE-dropout, which only training with it would want.


namespace Gradus.Text;

/// <summary>Byte-pair encoding over raw bytes (byte-level vocabularies) or over characters (with byte fallback or an unknown token).</summary>
public sealed partial class Bpe : TokenModel
{
    /// <summary>Up to this many symbols a scan for the lowest rank is faster than a queue.</summary>
    private const int ScanLimit = 96;

    private const int NoRank = int.MaxValue;

    /// <summary>Smaller tables of merges are built at once, larger ones beside the rest.</summary>
    private const int LargeTable = 1 << 14;

    /// <summary>Longer pieces seldom occur again: those of scripts without spaces are whole clauses, unless they are very short.</summary>
    private const int LongPiece = 24, LongClause = 9;

    private readonly Merge[]? _merges;
    private readonly MergeTable? _pairs;
    private readonly int[]? _priority;
    private readonly BpeOptions _options;
    private readonly int _unknown;
    private readonly int[] _byteIds;
    private readonly PairFilter? _boundaries;

    // Tokens that only lead to longer ones; where one is left over it is taken apart again.
    private readonly bool[]? _unused;

    private Bpe(Vocabulary vocabulary, Merge[]? merges, int[]? priority, BpeOptions options, bool[]? unused)
        : base(vocabulary)
    {
        _unused = unused;
        _merges = merges;
        Task<MergeTable>? pairs = merges is { Length: > LargeTable } && Environment.ProcessorCount > 1 ? Task.Run(() => new MergeTable(merges)) : null;
        _priority = priority;
        _options = options;
        _unknown = options.UnknownToken is { } unknown ? vocabulary.Find(unknown) ?? -1 : -1;
        _byteIds = FindBytes(vocabulary, options);
        if (CanSearch())
            _search = new Lazy<SearchTables?>(() => SearchTables.Create(vocabulary));
        else if (!vocabulary.IsByteLevel && options is { ContinuingSubwordPrefix: null, EndOfWordSuffix: null, IgnoreMerges: false })
            _boundaries = MergesBytesOrUnknown() ? null : new PairFilter(vocabulary);
        _pairs = pairs?.Result ?? (merges is null ? null : new MergeTable(merges));
    }

    /// <inheritdoc/>
    public override int? UnknownId => _unknown >= 0 ? _unknown : null;

    /// <summary>The number of merges listed, or 0 where the vocabulary itself gives the ranks.</summary>
    public int MergeCount => _merges?.Length ?? 0;

    internal BpeOptions Options => _options;

    /// <summary>A model whose merges are listed in order, as in tokenizer.json and merges.txt.</summary>
    internal static Bpe FromMerges(Vocabulary vocabulary, Merge[] merges, BpeOptions options) => new(vocabulary, merges, null, options, null);

    /// <summary>A model in which two tokens join where their text together is a token; of several, the one with the lowest priority first.</summary>
    internal static Bpe FromPriorities(Vocabulary vocabulary, int[] priority, BpeOptions options, bool[]? unused = null) => new(vocabulary, null, priority, options, unused);

    /// <summary>The merges as ids, in order: listed, or derived from the priorities (every split of a token into two tokens).</summary>
    internal IReadOnlyList<Merge> ListMerges()
    {
        if (_merges is not null)
            return _merges;
        List<(int Priority, Merge Merge)> found = [];
        for (int id = 0; id < Vocabulary.Count; id++)
        {
            ReadOnlySpan<byte> token = Vocabulary.GetBytes(id);
            if (_priority![id] == NoRank)
                continue;
            for (int cut = 1; cut < token.Length; cut++)
            {
                int left = Vocabulary.Find(token[..cut]);
                int right = left < 0 ? -1 : Vocabulary.Find(token[cut..]);
                if (right >= 0)
                    found.Add((_priority[id], new Merge(left, right, id)));
            }
        }
        return [.. found.OrderBy(f => f.Priority).ThenBy(f => f.Merge.Left).ThenBy(f => f.Merge.Right).Select(f => f.Merge)];
    }

    /// <summary>A score for each token, the higher the earlier it is joined: the negative rank of its first join.</summary>
    internal float[] Scores()
    {
        int[] ranks = _priority ?? new int[Vocabulary.Count];
        if (_merges is not null)
        {
            Array.Fill(ranks, NoRank);
            for (int rank = _merges.Length - 1; rank >= 0; rank--)
                ranks[_merges[rank].Joined] = rank;
        }
        // Characters and bytes come from no join.
        int last = ranks.Where(r => r != NoRank).DefaultIfEmpty(0).Max() + 1;
        return [.. ranks.Select(r => -(float)Math.Min(r, last))];
    }

    /// <summary>Whether a token only leads to longer ones.</summary>
    internal bool IsUnused(int id) => _unused is not null && id < _unused.Length && _unused[id];

    internal override void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        if (piece.IsEmpty)
            return;
        if (_boundaries is not null)
            EncodeAtBoundaries(piece, scratch);
        else if (piece.Length > (IsClause(piece[0]) ? LongClause : LongPiece) && _search is not null)
            EncodeNewWord(piece, 0, scratch);
        else
            EncodeWord(piece, 0, scratch);
    }

    /// <summary>Whether a piece that begins with a byte begins with kana or an ideograph.</summary>
    private static bool IsClause(byte first) => first is >= 0xE3 and <= 0xE9;

    /// <summary>
    /// Cuts where no token holds the two characters on either side of the cut: no merge can cross there, so that the parts may be
    /// encoded, and remembered, each by itself.
    /// </summary>
    private void EncodeAtBoundaries(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        int first = scratch.Count;
        int start = 0;
        while (start < piece.Length)
        {
            int end = _boundaries!.Next(piece, start);
            int before = scratch.Count;
            EncodeWord(piece[start..end], start, scratch);
            // A run of unknown characters is one unknown token even where the cut went through it.
            if (_options.FuseUnknown && before > first && scratch.Count > before && scratch.Ids[before] == _unknown && scratch.Ids[before - 1] == _unknown)
                Fuse(scratch, before);
            start = end;
        }
    }

    private static void Fuse(EncodeScratch scratch, int at)
    {
        if (scratch.TrackOffsets)
            scratch.Ends[at - 1] = scratch.Ends[at];
        for (int i = at + 1; i < scratch.Count; i++)
        {
            scratch.Ids[i - 1] = scratch.Ids[i];
            if (scratch.TrackOffsets)
            {
                scratch.Starts[i - 1] = scratch.Starts[i];
                scratch.Ends[i - 1] = scratch.Ends[i];
                scratch.Words[i - 1] = scratch.Words[i];
            }
        }
        scratch.Count--;
    }

    private void EncodeWord(ReadOnlySpan<byte> word, int offset, EncodeScratch scratch)
    {
        bool cached = word.Length <= WordCache.MaxKeyLength && !scratch.TrackOffsets;
        if (cached && (scratch.Cache ??= new WordCache()).TryAppend(word, scratch))
            return;
        int before = scratch.Count;
        EncodeNewWord(word, offset, scratch);
        if (cached)
            scratch.Cache!.Store(word, scratch.Ids.AsSpan(before, scratch.Count - before));
    }

    private void EncodeNewWord(ReadOnlySpan<byte> word, int offset, EncodeScratch scratch)
    {
        if (TablesFor(word) is { } tables)
        {
            EncodeBySearch(word, offset, tables, scratch);
            return;
        }
        if (_options.IgnoreMerges && Vocabulary.Find(word) is var whole and >= 0)
        {
            scratch.Add(whole, offset, offset + word.Length);
            return;
        }
        Merge(word, scratch.Merge);
        if (_unused is not null)
            EmitUsed(word, offset, scratch);
        else
            Emit(scratch.Merge, offset, scratch);
    }

    /// <summary>The symbols of a word after all merges: the specification of every encoding here.</summary>
    private void Merge(ReadOnlySpan<byte> word, MergeMemory memory)
    {
        if (Vocabulary.IsByteLevel)
            StartFromBytes(word, memory);
        else
            StartFromCharacters(word, memory);
        if (memory.Count > ScanLimit)
            MergeByQueue(word, memory);
        else
            MergeByScan(word, memory);
    }

    private static void Emit(MergeMemory memory, int offset, EncodeScratch scratch)
    {
        if (!scratch.TrackOffsets)
        {
            scratch.AddRange(memory.Id.AsSpan(0, memory.Count));
            return;
        }
        for (int i = 0; i < memory.Count; i++)
            scratch.Add(memory.Id[i], offset + memory.Start[i], offset + memory.Start[i + 1]);
    }

    /// <summary>Takes unused tokens apart into the two they were joined from, and those again.</summary>
    private void EmitUsed(ReadOnlySpan<byte> word, int offset, EncodeScratch scratch)
    {
        MergeMemory memory = scratch.Merge;
        (int Id, int Start, int End)[] symbols = new (int, int, int)[memory.Count];
        for (int i = 0; i < symbols.Length; i++)
            symbols[i] = (memory.Id[i], memory.Start[i], memory.Start[i + 1]);
        foreach ((int id, int start, int end) in symbols)
        {
            int characters = 0;
            for (int i = start; i < end; i += CharacterClasses.LengthOf(word[i]))
                characters++;
            if (!_unused![id] || characters < 2)
            {
                scratch.Add(id, offset + start, offset + end);
                continue;
            }
            // Without the last join, the same joins lead to its two parts.
            StartFromCharacters(word[start..end], memory);
            memory.Banned = id;
            MergeByScan(word[start..end], memory);
            memory.Banned = -1;
            EmitUsed(word[start..end], offset + start, scratch);
        }
    }

    private int PairRank(ReadOnlySpan<byte> word, int left, int right, int start, int end, out int joined)
    {
        if (_pairs is not null)
            return _pairs.Rank(left, right, out joined);
        joined = end - start <= Vocabulary.MaxTokenLength ? Vocabulary.Find(word[start..end]) : -1;
        return joined < 0 ? NoRank : _priority![joined];
    }

    /// <summary>Joins the pair of lowest rank, found by looking at all of them: for short pieces.</summary>
    private void MergeByScan(ReadOnlySpan<byte> word, MergeMemory memory)
    {
        int n = memory.Count;
        int[] id = memory.Id, start = memory.Start, rank = memory.Rank, joined = memory.Joined;
        for (int i = 0; i + 1 < n; i++)
            rank[i] = PairRank(word, id[i], id[i + 1], start[i], start[i + 2], out joined[i]);
        while (n > 1)
        {
            int best = 0;
            int lowest = rank[0];
            for (int i = 1; i + 1 < n; i++)
            {
                if (rank[i] < lowest)
                {
                    lowest = rank[i];
                    best = i;
                }
            }
            if (lowest == NoRank || (n == 2 && joined[0] == memory.Banned))
                break;
            id[best] = joined[best];
            n--;
            int tail = n - best - 1;
            Array.Copy(id, best + 2, id, best + 1, tail);
            Array.Copy(start, best + 2, start, best + 1, tail + 1);
            Array.Copy(rank, best + 2, rank, best + 1, tail);
            Array.Copy(joined, best + 2, joined, best + 1, tail);
            if (best + 1 < n)
                rank[best] = PairRank(word, id[best], id[best + 1], start[best], start[best + 2], out joined[best]);
            if (best > 0)
                rank[best - 1] = PairRank(word, id[best - 1], id[best], start[best - 1], start[best + 1], out joined[best - 1]);
        }
        memory.Count = n;
    }

    /// <summary>Joins the pair of lowest rank, found by a queue: O(n log n) for pieces of any length.</summary>
    private void MergeByQueue(ReadOnlySpan<byte> word, MergeMemory memory)
    {
        memory.ReserveLinks();
        int n = memory.Count;
        int[] id = memory.Id, start = memory.Start, rank = memory.Rank, joined = memory.Joined, next = memory.Next, previous = memory.Previous;
        MergeQueue queue = memory.Queue;
        queue.Clear();
        for (int i = 0; i < n; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
            rank[i] = i + 1 < n ? PairRank(word, id[i], id[i + 1], start[i], start[i + 2], out joined[i]) : NoRank;
            if (rank[i] != NoRank)
                queue.Push(rank[i], i);
        }
        while (queue.Count > 0)
        {
            (int r, int i) = queue.Pop();
            // Entries of pairs that changed since are stale.
            if (rank[i] != r)
                continue;
            int gone = next[i];
            int after = next[gone];
            id[i] = joined[i];
            next[i] = after;
            rank[gone] = NoRank;
            if (after < n)
                previous[after] = i;
            Renew(word, memory, n, i);
            if (previous[i] >= 0)
                Renew(word, memory, n, previous[i]);
        }
        int count = 0;
        for (int i = 0; i < n; i = next[i])
        {
            id[count] = id[i];
            start[count++] = start[i];
        }
        start[count] = word.Length;
        memory.Count = count;
    }

    private void Renew(ReadOnlySpan<byte> word, MergeMemory memory, int n, int i)
    {
        int right = memory.Next[i];
        memory.Rank[i] = NoRank;
        if (right >= n)
            return;
        // A symbol ends where the one after it starts; the entry past the last holds the end of the piece.
        int end = memory.Start[memory.Next[right]];
        memory.Rank[i] = PairRank(word, memory.Id[i], memory.Id[right], memory.Start[i], end, out memory.Joined[i]);
        if (memory.Rank[i] != NoRank)
            memory.Queue.Push(memory.Rank[i], i);
    }
}
