// Purpose: the longest common subsequence for ROUGE-L (its length) and ROUGE-Lsum (which of several longest ones matters).
// Source: the bit-vector recurrence of Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004: 64 cells of the
// dynamic program at a time. Memory stays near √n rows for long inputs: every k-th row is kept, the rows between come again.

using System.Numerics;

namespace Gradus.Evaluation.Metrics;

/// <summary>The longest common subsequence of two token sequences, by rows of bits.</summary>
/// <remarks>
/// With L(i, j) the length for the first i tokens of x and the first j of y, bit j of row i is 0 where L(i, j + 1) = L(i, j) + 1.
/// So L(i, j) is the number of zeros among the first j bits of row i, and row 0 is all ones.
/// </remarks>
internal sealed class LongestCommonSubsequence
{
    private readonly int[] x;
    private readonly int[] y;
    private readonly Dictionary<int, List<int>> positions = [];
    private readonly int words;
    private readonly ulong[] matches;

    private LongestCommonSubsequence(int[] x, int[] y)
    {
        this.x = x;
        this.y = y;
        words = (y.Length + 63) / 64;
        matches = new ulong[words];
        HashSet<int> inX = [.. x];
        for (int j = 0; j < y.Length; j++)
        {
            if (!inX.Contains(y[j]))
                continue;
            if (!positions.TryGetValue(y[j], out List<int>? list))
                positions[y[j]] = list = [];
            list.Add(j);
        }
    }

    /// <summary>The length of the longest common subsequence.</summary>
    public static int Length(int[] x, int[] y)
    {
        LongestCommonSubsequence lcs = new(x, y);
        ulong[] row = lcs.FirstRow();
        foreach (int token in x)
            lcs.Advance(row, token);
        return ZerosBefore(row, y.Length);
    }

    /// <summary>
    /// The positions in x, ascending, of the longest common subsequence that is found from the end: on equal tokens both step
    /// back, else y where that loses nothing and x would, else x.
    /// </summary>
    /// <param name="x">One sequence.</param>
    /// <param name="y">The other.</param>
    /// <param name="wordsKept">Up to so many words of 64 bits (here 128 MiB) every row is kept; beyond, every √n-th.</param>
    public static List<int> PositionsInX(int[] x, int[] y, long wordsKept = 1 << 24)
    {
        LongestCommonSubsequence lcs = new(x, y);
        List<int> result = lcs.positions.Count == 0 ? [] : lcs.Trace(wordsKept);
        result.Reverse();
        return result;
    }

    private List<int> Trace(long wordsKept)
    {
        int stride = (long)x.Length * words <= wordsKept ? x.Length : (int)Math.Ceiling(Math.Sqrt(x.Length));
        List<ulong[]> kept = Checkpoints(stride);
        List<int> found = [];
        int i = x.Length, j = y.Length;
        for (int block = kept.Count - 1; block >= 0 && i > 0 && j > 0; block--)
        {
            int first = block * stride;
            ulong[][] rows = RowsFrom(kept[block], first, i);
            (i, j) = TraceBlock(rows, first, i, j, found);
        }
        return found;
    }

    // Steps back through rows first..i until the row `first` or the column 0 is reached.
    private (int I, int J) TraceBlock(ulong[][] rows, int first, int i, int j, List<int> found)
    {
        int here = ZerosBefore(rows[i - first], j);
        int above = i > first ? ZerosBefore(rows[i - 1 - first], j) : 0;
        while (i > first && j > 0)
        {
            if (x[i - 1] == y[j - 1])
            {
                found.Add(--i);
                j--;
            }
            else if (!IsZero(rows[i - first], j - 1) && above < here)
            {
                if (IsZero(rows[i - 1 - first], j - 1))
                    above--;
                j--;
                continue;
            }
            else
            {
                i--;
            }
            here = ZerosBefore(rows[i - first], j);
            above = i > first ? ZerosBefore(rows[i - 1 - first], j) : 0;
        }
        return (i, j);
    }

    private List<ulong[]> Checkpoints(int stride)
    {
        List<ulong[]> kept = [];
        ulong[] row = FirstRow();
        for (int i = 0; i < x.Length; i++)
        {
            if (i % stride == 0)
                kept.Add([.. row]);
            Advance(row, x[i]);
        }
        return kept;
    }

    private ulong[][] RowsFrom(ulong[] start, int first, int last)
    {
        var rows = new ulong[last - first + 1][];
        rows[0] = start;
        for (int i = first; i < last; i++)
        {
            rows[i + 1 - first] = [.. rows[i - first]];
            Advance(rows[i + 1 - first], x[i]);
        }
        return rows;
    }

    private ulong[] FirstRow()
    {
        var row = new ulong[words];
        Array.Fill(row, ulong.MaxValue);
        return row;
    }

    // V ← (V + (V & M)) | (V & ~M), where M marks the token's positions in y; the sum carries from word to word.
    private void Advance(ulong[] row, int token)
    {
        if (!positions.TryGetValue(token, out List<int>? list))
            return;
        foreach (int j in list)
            matches[j / 64] |= 1UL << (j % 64);
        ulong carry = 0;
        for (int w = list[0] / 64; w < row.Length; w++)
        {
            ulong v = row[w], m = matches[w], u = v & m;
            ulong sum = v + u, withCarry = sum + carry;
            carry = (sum < v ? 1UL : 0) | (withCarry < sum ? 1UL : 0);
            row[w] = withCarry | (v & ~m);
        }
        foreach (int j in list)
            matches[j / 64] = 0;
    }

    private static bool IsZero(ulong[] row, int bit) => (row[bit / 64] >> (bit % 64) & 1) == 0;

    private static int ZerosBefore(ulong[] row, int end)
    {
        int zeros = 0, w = 0;
        for (; w < end / 64; w++)
            zeros += BitOperations.PopCount(~row[w]);
        return end % 64 == 0 ? zeros : zeros + BitOperations.PopCount(~row[w] & ((1UL << (end % 64)) - 1));
    }
}
