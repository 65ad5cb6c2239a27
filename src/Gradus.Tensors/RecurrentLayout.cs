namespace Gradus.Tensors;

/// <summary>
/// The rows of ragged sequences in the order in which a recurrent layer takes them: the first tokens of all sequences, then the second
/// ones, and so on. Longer sequences come first, so that those of a step are the first ones of the step before. Used again without
/// allocation.
/// </summary>
public sealed class RecurrentLayout
{
    private long[] _sorted = [];
    private int[] _stepStarts = [0];
    private int[] _order = [];
    private int[] _places = [];
    private int[] _previous = [];
    private int[] _sequences = [];
    private int[] _lasts = [];

    /// <summary>The sequences, empty ones included.</summary>
    public int Sequences { get; private set; }

    /// <summary>Sequences with at least one token.</summary>
    public int Running { get; private set; }

    /// <summary>All tokens, N.</summary>
    public int Rows { get; private set; }

    /// <summary>Tokens of the longest sequence.</summary>
    public int Steps { get; private set; }

    /// <summary>(N): for every row here its row in the batch.</summary>
    public ReadOnlySpan<int> Order => _order.AsSpan(0, Rows);

    /// <summary>(N): for every row of the batch its row here.</summary>
    public ReadOnlySpan<int> Places => _places.AsSpan(0, Rows);

    /// <summary>For every row here behind the first step the row of the token before it.</summary>
    public ReadOnlySpan<int> Previous => _previous.AsSpan(0, Rows - Running);

    /// <summary>(Running): the sequences' numbers in the batch, the longest first.</summary>
    public ReadOnlySpan<int> RunningSequences => _sequences.AsSpan(0, Running);

    /// <summary>(Running): the row here of each one's last token, in the order of <see cref="RunningSequences"/>.</summary>
    public ReadOnlySpan<int> LastRows => _lasts.AsSpan(0, Running);

    /// <summary>The first row of a step.</summary>
    public int StepStart(int step) => _stepStarts[step];

    /// <summary>The sequences that are that long.</summary>
    public int StepRows(int step) => _stepStarts[step + 1] - _stepStarts[step];

    /// <summary>Describes the queries of a layout.</summary>
    public RecurrentLayout Set(AttentionLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Sequences = layout.Sequences;
        Rows = layout.TotalQueries;
        Sort(layout);
        Ensure(ref _stepStarts, Steps + 1);
        Ensure(ref _order, Rows);
        Ensure(ref _places, Rows);
        Ensure(ref _previous, Rows);
        int row = 0, running = Running;
        for (int step = 0; step < Steps; step++)
        {
            _stepStarts[step] = row;
            while (running > 0 && layout.QueryCount(_sequences[running - 1]) <= step)
                running--;
            for (int rank = 0; rank < running; rank++, row++)
            {
                _order[row] = layout.QueryStart(_sequences[rank]) + step;
                _places[_order[row]] = row;
                if (step > 0)
                    _previous[row - Running] = _stepStarts[step - 1] + rank;
                if (step + 1 == layout.QueryCount(_sequences[rank]))
                    _lasts[rank] = row;
            }
        }
        _stepStarts[Steps] = row;
        return this;
    }

    // By length, the longest first, then by number.
    private void Sort(AttentionLayout layout)
    {
        Ensure(ref _sorted, Sequences);
        Ensure(ref _sequences, Sequences);
        Ensure(ref _lasts, Sequences);
        Running = Steps = 0;
        for (int s = 0; s < Sequences; s++)
        {
            int length = layout.QueryCount(s);
            Steps = Math.Max(Steps, length);
            if (length > 0)
                _sorted[Running++] = ((long)(int.MaxValue - length) << 32) | (uint)s;
        }
        _sorted.AsSpan(0, Running).Sort();
        for (int rank = 0; rank < Running; rank++)
            _sequences[rank] = (int)(_sorted[rank] & uint.MaxValue);
    }

    private static void Ensure<T>(ref T[] array, int length)
    {
        if (array.Length < length)
            array = new T[Math.Max(length, array.Length * 2)];
    }
}
