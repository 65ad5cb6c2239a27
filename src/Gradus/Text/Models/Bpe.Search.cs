// Byte-level encoding without merging: the longest token at each place that may follow the token before it, with steps back.
// A sequence of tokens is the one that merging gives exactly if merging gives each token for its own bytes, and for the bytes of every
// two neighbours these two: the first merge across a boundary of the sequence would depend on nothing but the two tokens there. So the
// sequence is unique, and a place from which the search had to step back can never be a boundary. Each place is left at most once.
// Source of the idea: GitHub's rust-gems, crate bpe ("So many tokens, so little time", 2024). Merging stays the specification: tokens
// and pairs for which the short proof does not hold are merged.

namespace Gradus.Text;

public sealed partial class Bpe
{
    private readonly Lazy<SearchTables?>? _search;
    private long _mergedBytes;

    /// <summary>What is known of a token: how merging makes it from its bytes.</summary>
    private enum Making
    {
        Unknown,

        /// <summary>Merging its bytes gives something else, so that it occurs in no text.</summary>
        Never,

        /// <summary>Merging gives it, but in an order of ranks that goes back and forth, or it is too long to look.</summary>
        Irregular,

        /// <summary>Merging gives it, each merge with a higher rank than those of its parts; or it is a byte.</summary>
        Regular,
    }

    private sealed record SearchTables(TokenTrie Trie, LastMerge[] LastMerges)
    {
        public static SearchTables? Create(Vocabulary vocabulary)
        {
            return TokenTrieBuilder.Build(vocabulary) is { } trie ? new SearchTables(trie, new LastMerge[vocabulary.Count]) : null;
        }
    }

    /// <summary>The merge that makes a token; found when first asked for, by any thread, always with the same result.</summary>
    private struct LastMerge
    {
        public int Left;

        /// <summary>−1 where no merge is known.</summary>
        public int Right;

        /// <summary>The rank of the merge; −1 for a byte.</summary>
        public int Rank;

        /// <summary>The length of the token, two flags and its <see cref="Making"/>; zero until the rest is written.</summary>
        public int Info;

        /// <summary>Longer tokens begin with this one.</summary>
        public const int HasLonger = 4;

        /// <summary>No longer token begins with a symbol at the end of this one while it is made.</summary>
        public const int Quiet = 8;

        public readonly Making Making => (Making)(Info & 3);

        public readonly int Length => Info >> 4;
    }

    /// <summary>Whether pieces can be searched: every byte is a token, ranks are distinct, tokens are their parts' bytes one after the other.</summary>
    private bool CanSearch()
    {
        if (!Vocabulary.IsByteLevel || _unused is not null || _options is not { ContinuingSubwordPrefix: null, EndOfWordSuffix: null })
            return false;
        foreach (int id in _byteIds)
        {
            if (id < 0)
                return false;
        }
        for (int id = 0; _priority is not null && id < _priority.Length; id++)
        {
            if (_priority[id] != id)
                return false;
        }
        return true;
    }

    /// <summary>
    /// The tables of the search, or null where a piece is better merged: making them takes as long as merging about as many bytes as
    /// there are tokens, which a short text does not wait for.
    /// </summary>
    private SearchTables? TablesFor(ReadOnlySpan<byte> piece)
    {
        if (_search is null)
            return null;
        if (!_search.IsValueCreated && Interlocked.Add(ref _mergedBytes, piece.Length) < Vocabulary.Count)
            return null;
        return _search.Value;
    }

    private void EncodeBySearch(ReadOnlySpan<byte> piece, int offset, SearchTables tables, EncodeScratch scratch)
    {
        TokenTrie trie = tables.Trie;
        MergeMemory found = scratch.Merge;
        found.Begin();
        DeadEnds deadEnds = scratch.DeadEnds;
        deadEnds.Begin(piece.Length);
        int previous = -1;
        bool previousOpen = true;
        for (int at = 0; at < piece.Length;)
        {
            int id = trie.Longest(piece[at..], out int length, out bool open);
            if (at == 0 && length == piece.Length && _options.IgnoreMerges)
            {
                scratch.Add(id, offset, offset + length);
                return;
            }
            while (id >= 0 && (deadEnds[at + length] || !MayFollow(previous, previousOpen, id, piece, at, at + length, tables, scratch)))
            {
                id = length > 1 ? trie.Longest(piece.Slice(at, length - 1), out length, out _) : -1;
                open = true;
            }
            if (id >= 0)
            {
                found.Add(id, at);
                previous = id;
                previousOpen = open;
                at += length;
            }
            else if (found.Count == 0)
            {
                // Only a vocabulary that has the same token under two ids comes here.
                Merge(piece, found);
                break;
            }
            else
            {
                deadEnds.Add(at);
                at = found.Start[--found.Count];
                previous = found.Count > 0 ? found.Id[found.Count - 1] : -1;
                previousOpen = true;
            }
        }
        found.End(piece.Length);
        Emit(found, offset, scratch);
    }

    /// <summary>Whether merging leaves a token, and the one before it, as they are.</summary>
    private bool MayFollow(int left, bool leftOpen, int right, ReadOnlySpan<byte> piece, int middle, int end, SearchTables tables, EncodeScratch scratch)
    {
        if (left < 0 || (!leftOpen && piece[middle] >= 0xC0 && NothingCrosses(left, piece, middle, tables.Trie, tables.LastMerges)))
            return LastMergeOf(right, tables, scratch).Making != Making.Never;
        ref ulong known = ref scratch.TokenPairs.Slot(left, right, out ulong key);
        if (known >> 1 == key)
            return (known & 1) != 0;
        bool may = FollowsUnmerged(left, right, piece, middle, end, tables, scratch);
        known = (key << 1) | (may ? 1UL : 0);
        return may;
    }

    /// <summary>
    /// Whether no token begins with what the left token's merges leave at its end and goes on with the text after it; the left token
    /// itself is known to have none. That is so at most places outside ASCII, where pairs are too many to be remembered.
    /// </summary>
    private static bool NothingCrosses(int left, ReadOnlySpan<byte> piece, int middle, TokenTrie trie, LastMerge[] merges)
    {
        ref readonly LastMerge merge = ref merges[left];
        while ((merge.Info & LastMerge.Quiet) == 0)
        {
            if (merge.Right < 0)
                return false;
            merge = ref merges[merge.Right];
            if ((merge.Info & LastMerge.HasLonger) != 0 && trie.Continues(piece[(middle - merge.Length)..], merge.Length))
                return false;
        }
        return true;
    }

    /// <summary>
    /// Takes the two tokens apart at their common boundary, the later merge first: at each moment the symbols on either side existed
    /// together until one of them was merged away from the boundary, and must not have been merged with each other before that.
    /// </summary>
    private bool FollowsUnmerged(int left, int right, ReadOnlySpan<byte> piece, int middle, int end, SearchTables tables, EncodeScratch scratch)
    {
        LastMerge leftMerge = LastMergeOf(left, tables, scratch);
        LastMerge rightMerge = LastMergeOf(right, tables, scratch);
        int start = middle - leftMerge.Length;
        if (rightMerge.Making == Making.Never)
            return false;
        if (leftMerge.Making != Making.Regular || rightMerge.Making != Making.Regular)
        {
            MergeMemory memory = scratch.TokenMerge;
            Merge(piece[start..end], memory);
            return memory.Count == 2 && memory.Id[0] == left && memory.Id[1] == right;
        }
        LastMerge[] merges = tables.LastMerges;
        int leftGone = NoRank;
        int rightGone = NoRank;
        while (true)
        {
            // Of equal ranks the leftmost pair is merged first: the left token's own before one across, one across before the right token's.
            int rank = PairRank(piece, left, right, start, end, out _);
            if (rank < leftGone && rank <= rightGone)
                return false;
            if (leftMerge.Rank > rightMerge.Rank)
            {
                leftGone = leftMerge.Rank;
                left = leftMerge.Right;
                leftMerge = merges[left];
                start = middle - leftMerge.Length;
            }
            else if (rightMerge.Rank >= 0)
            {
                rightGone = rightMerge.Rank;
                right = rightMerge.Left;
                rightMerge = merges[right];
                end = middle + rightMerge.Length;
            }
            else
            {
                return true;
            }
        }
    }

    private ref readonly LastMerge LastMergeOf(int id, SearchTables tables, EncodeScratch scratch)
    {
        ref LastMerge known = ref tables.LastMerges[id];
        if (Volatile.Read(ref known.Info) == 0)
        {
            ReadOnlySpan<byte> token = Vocabulary.GetBytes(id);
            LastMerge merge = FindLastMerge(id, tables, scratch, out Making making);
            bool longer = tables.Trie.HasLonger(token);
            bool quiet = token.Length == 1 || (merge.Right >= 0 && (tables.LastMerges[merge.Right].Info & (LastMerge.HasLonger | LastMerge.Quiet)) == LastMerge.Quiet);
            known.Left = merge.Left;
            known.Right = merge.Right;
            known.Rank = merge.Rank;
            Volatile.Write(ref known.Info, (token.Length << 4) | (longer ? LastMerge.HasLonger : 0) | (quiet ? LastMerge.Quiet : 0) | (int)making);
        }
        return ref known;
    }

    private LastMerge FindLastMerge(int id, SearchTables tables, EncodeScratch scratch, out Making making)
    {
        ReadOnlySpan<byte> token = Vocabulary.GetBytes(id);
        MergeMemory memory = scratch.TokenMerge;
        making = Making.Never;
        if (token.Length == 1)
        {
            making = _byteIds[token[0]] == id ? Making.Regular : Making.Never;
            return new LastMerge { Right = -1, Rank = -1 };
        }
        if (token.Length > ScanLimit)
        {
            Merge(token, memory);
            making = memory.Count == 1 && memory.Id[0] == id ? Making.Irregular : Making.Never;
            return new LastMerge { Right = -1 };
        }
        StartFromBytes(token, memory);
        memory.Banned = id;
        MergeByScan(token, memory);
        memory.Banned = -1;
        if (memory.Count != 2)
            return new LastMerge { Right = -1 };
        int left = memory.Id[0];
        int right = memory.Id[1];
        int rank = PairRank(token, left, right, 0, token.Length, out int joined);
        if (rank == NoRank || joined != id)
            return new LastMerge { Right = -1 };
        LastMerge leftMerge = LastMergeOf(left, tables, scratch);
        LastMerge rightMerge = LastMergeOf(right, tables, scratch);
        bool rising = leftMerge.Making == Making.Regular && rightMerge.Making == Making.Regular && leftMerge.Rank < rank && rightMerge.Rank < rank;
        making = rising ? Making.Regular : Making.Irregular;
        return new LastMerge { Left = left, Right = right, Rank = rank };
    }
}
