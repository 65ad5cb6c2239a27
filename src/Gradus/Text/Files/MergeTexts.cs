// The merges of a file as texts, read before or while its vocabulary is read, and turned into ids when that is there. Both are most of the
// work of loading a large tokenizer: the texts are read beside the vocabulary, and looked up on several cores.

using System.Runtime.CompilerServices;
using System.Text;

namespace Gradus.Text;

/// <summary>The two texts of every merge as the file writes them, end to end in one blob of UTF-8.</summary>
internal sealed class MergeTexts(int capacity = 1 << 10)
{
    /// <summary>Fewer merges are not worth another thread.</summary>
    private const int LeastPerThread = 1 << 14;

    private const int MaxThreads = 4;

    private byte[] _blob = new byte[Math.Max(64, capacity * 8)];

    // Where the left and where the right text of each merge ends; the next merge starts there.
    private int[] _ends = new int[Math.Max(16, capacity * 2)];

    public int Count { get; private set; }

    /// <summary>Appends a merge.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        int used = Count == 0 ? 0 : _ends[(2 * Count) - 1];
        if (used + left.Length + right.Length > _blob.Length)
            Array.Resize(ref _blob, Math.Max(used + left.Length + right.Length, _blob.Length * 2));
        if ((2 * Count) + 2 > _ends.Length)
            Array.Resize(ref _ends, _ends.Length * 2);
        left.CopyTo(_blob.AsSpan(used));
        right.CopyTo(_blob.AsSpan(used + left.Length));
        _ends[2 * Count] = used + left.Length;
        _ends[(2 * Count) + 1] = used + left.Length + right.Length;
        Count++;
    }

    /// <summary>The merges as ids.</summary>
    /// <param name="vocabulary">The vocabulary.</param>
    /// <param name="prefix">How many bytes a right part loses where it is joined: the length of the continuing-subword prefix.</param>
    /// <param name="place">What errors call the list.</param>
    /// <exception cref="InvalidDataException">A part, or what two parts join to, is not in the vocabulary.</exception>
    public Merge[] Resolve(Vocabulary vocabulary, int prefix, string place)
    {
        Merge[] merges = new Merge[Count];
        int threads = Math.Clamp(Count / LeastPerThread, 1, Math.Min(MaxThreads, Environment.ProcessorCount));
        Task<int>[] others = new Task<int>[threads - 1];
        for (int t = 1; t < threads; t++)
        {
            int from = (int)((long)Count * t / threads);
            int to = (int)((long)Count * (t + 1) / threads);
            others[t - 1] = Task.Run(() => Resolve(vocabulary, prefix, merges, from, to));
        }
        int firstWrong = Resolve(vocabulary, prefix, merges, 0, Count / threads);
        foreach (Task<int> other in others)
            firstWrong = Math.Min(firstWrong, other.Result);
        return firstWrong == int.MaxValue ? merges : throw Wrong(vocabulary, prefix, firstWrong, place);
    }

    /// <summary>Resolves a range of merges. Returns the first that cannot be, or the largest number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Resolve(Vocabulary vocabulary, int prefix, Merge[] merges, int from, int to)
    {
        ReadOnlySpan<byte> blob = _blob;
        bool isByteLevel = vocabulary.IsByteLevel;
        byte[] raw = new byte[isByteLevel ? 256 : 0];
        int start = from == 0 ? 0 : _ends[(2 * from) - 1];
        int joined = -1;
        for (int i = from; i < to; i++)
        {
            int middle = _ends[2 * i];
            int end = _ends[(2 * i) + 1];
            ReadOnlySpan<byte> both = blob[start..end];
            int length = middle - start;
            if (isByteLevel)
            {
                if (raw.Length < both.Length)
                    raw = new byte[both.Length * 2];
                if (!ByteAlphabet.TryToBytes(blob[start..middle], raw, out length) || !ByteAlphabet.TryToBytes(blob[middle..end], raw.AsSpan(length), out int rest))
                    return i;
                both = raw.AsSpan(0, length + rest);
            }
            int left = vocabulary.Find(both[..length]);
            int right = vocabulary.Find(both[length..]);
            joined = prefix == 0 ? FindNear(vocabulary, both, joined) : FindWithoutPrefix(vocabulary, both, length, prefix);
            // A file may give the empty text an id; joined with it, a token would join to itself for ever.
            if (left < 0 || right < 0 || joined < 0 || length == 0 || length == both.Length)
                return i;
            merges[i] = new Merge(left, right, joined);
            start = end;
        }
        return int.MaxValue;
    }

    /// <summary>Files list merges in the order of what they make, so that it is most often what the last one made, or the token after that.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FindNear(Vocabulary vocabulary, ReadOnlySpan<byte> token, int last)
    {
        if (last >= 0 && vocabulary.GetBytes(last).SequenceEqual(token))
            return last;
        if (vocabulary.GetBytes(last + 1).SequenceEqual(token) && !vocabulary.IsOpaque(last + 1))
            return last + 1;
        return vocabulary.Find(token);
    }

    private static int FindWithoutPrefix(Vocabulary vocabulary, ReadOnlySpan<byte> both, int leftLength, int prefix)
    {
        int rightLength = both.Length - leftLength;
        // A part that is nothing but the prefix would join to its own left part, for ever.
        if (prefix == rightLength)
            return -1;
        return vocabulary.Find(prefix > rightLength ? both : [.. both[..leftLength], .. both[(leftLength + prefix)..]]);
    }

    private InvalidDataException Wrong(Vocabulary vocabulary, int prefix, int index, string place)
    {
        int start = index == 0 ? 0 : _ends[(2 * index) - 1];
        string left = Encoding.UTF8.GetString(_blob, start, _ends[2 * index] - start);
        string right = Encoding.UTF8.GetString(_blob, _ends[2 * index], _ends[(2 * index) + 1] - _ends[2 * index]);
        string what = left.Length == 0 || right.Length == 0 ? "a part is empty"
            : vocabulary.Find(left) is null ? $"the token \"{left}\" is not in the vocabulary"
            : vocabulary.Find(right) is null ? $"the token \"{right}\" is not in the vocabulary"
            : prefix > 0 && Encoding.UTF8.GetByteCount(right) == prefix ? "its second token is nothing but the prefix, so that it would join to its own first part"
            : $"\"{left}\" and \"{right}\" join to a token that is not in the vocabulary";
        return new InvalidDataException($"{place}[{index}]: {what}.");
    }
}
