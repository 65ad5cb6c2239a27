// Purpose: the word edit distance of TER: near the diagonal only, with the operations, and quick for a text that differs from
// one already seen by a shift. Source: Tercom (https://github.com/jhclark/tercom) as re-implemented in sacrebleu, whose beam and
// order of preference among operations this follows; both decide which of several cheapest ways is taken.

namespace Gradus.Evaluation.Metrics;

/// <summary>One step in rewriting a text into its reference.</summary>
internal enum EditOperation : byte
{
    /// <summary>Not reached by the beam.</summary>
    None,

    /// <summary>The words are equal.</summary>
    Keep,

    /// <summary>A word is replaced by the reference's.</summary>
    Substitute,

    /// <summary>A word of the text goes.</summary>
    Delete,

    /// <summary>A word of the reference is added.</summary>
    Insert,
}

/// <summary>The edit distance from a text to its reference, and of rearrangements of the text.</summary>
internal sealed class BeamEditDistance
{
    private const int Beam = 25;
    private const int Unreached = int.MaxValue / 2;

    private readonly int[] text;
    private readonly int[] reference;
    private readonly double ratio;
    private readonly int beam;

    // rows[i][j − from(i)] is the cost of rewriting the first i words into the first j words of the reference.
    private readonly int[][] rows;
    private readonly EditOperation[][] operations;

    public BeamEditDistance(int[] text, int[] reference)
    {
        this.text = text;
        this.reference = reference;
        ratio = text.Length > 0 ? (double)reference.Length / text.Length : 1;
        // Where lengths differ very much, consecutive rows must still overlap.
        beam = Beam < ratio / 2 ? (int)Math.Ceiling((ratio / 2) + Beam) : Beam;
        rows = new int[text.Length + 1][];
        operations = new EditOperation[text.Length + 1][];
        rows[0] = [.. Enumerable.Range(0, reference.Length + 1)];
        operations[0] = new EditOperation[reference.Length + 1];
        Array.Fill(operations[0], EditOperation.Insert);
        for (int i = 1; i <= text.Length; i++)
        {
            operations[i] = new EditOperation[Width(i)];
            rows[i] = NextRow(text, i, rows[i - 1], operations[i]);
        }
        Distance = rows[^1][^1];
    }

    /// <summary>The number of insertions, deletions and substitutions.</summary>
    public int Distance { get; }

    /// <summary>The steps from the first word to the last.</summary>
    public List<EditOperation> Trace()
    {
        List<EditOperation> trace = [];
        for (int i = text.Length, j = reference.Length; i > 0 || j > 0;)
        {
            EditOperation operation = operations[i][j - From(i)];
            trace.Add(operation);
            if (operation != EditOperation.Insert)
                i--;
            if (operation != EditOperation.Delete)
                j--;
        }
        trace.Reverse();
        return trace;
    }

    /// <summary>The distance of a rearrangement of the text that equals it outside a range of positions.</summary>
    /// <param name="rearranged">As many words as the text has.</param>
    /// <param name="first">The first position that may differ.</param>
    /// <param name="end">The position after the last that may differ.</param>
    public int DistanceOf(int[] rearranged, int first, int end)
    {
        int[] row = rows[first];
        for (int i = first + 1; i <= rearranged.Length; i++)
        {
            row = NextRow(rearranged, i, row, null);
            // Where a row behind the changes differs from the text's by a constant, all later ones do.
            if (i >= end && ConstantDifference(row, rows[i]) is { } difference)
                return Distance + difference;
        }
        return row[^1];
    }

    private int From(int i) => i == 0 ? 0 : Math.Max(0, (int)Math.Floor(i * ratio) - beam);

    private int Width(int i)
    {
        int end = i == 0 || i == text.Length ? reference.Length + 1 : Math.Min(reference.Length + 1, (int)Math.Floor(i * ratio) + beam);
        return Math.Max(0, end - From(i));
    }

    private int[] NextRow(int[] words, int i, int[] above, EditOperation[]? chosen)
    {
        int from = From(i), fromAbove = From(i - 1);
        var row = new int[Width(i)];
        for (int k = 0; k < row.Length; k++)
        {
            int j = from + k;
            int best = Unreached;
            EditOperation operation = EditOperation.None;
            if (j > 0)
            {
                bool equal = words[i - 1] == reference[j - 1];
                Consider(Cell(above, j - 1 - fromAbove) + (equal ? 0 : 1), equal ? EditOperation.Keep : EditOperation.Substitute);
            }
            Consider(Cell(above, j - fromAbove) + 1, EditOperation.Delete);
            Consider(Cell(row, k - 1) + 1, EditOperation.Insert);
            row[k] = best;
            if (chosen is not null)
                chosen[k] = operation;

            // The first of the cheapest stays.
            void Consider(int cost, EditOperation candidate)
            {
                if (cost < best)
                    (best, operation) = (cost, candidate);
            }
        }
        return row;
    }

    private static int Cell(int[] row, int k) => (uint)k < (uint)row.Length ? row[k] : Unreached;

    private static int? ConstantDifference(int[] row, int[] other)
    {
        int difference = row[0] - other[0];
        for (int k = 1; k < row.Length; k++)
        {
            if (row[k] - other[k] != difference)
                return null;
        }
        return difference;
    }
}
