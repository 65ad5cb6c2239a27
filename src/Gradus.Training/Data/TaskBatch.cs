using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Data;

/// <summary>Tokens, and what the heads of a model should make of them.</summary>
/// <param name="Tokens">The sequences.</param>
/// <param name="Targets">For each head what its <see cref="Models.TaskHead.Losses"/> takes.</param>
public sealed record TaskBatch(TokenBatch Tokens, IReadOnlyList<HeadTargets> Targets) : TrainingBatch
{
    /// <inheritdoc/>
    public override long TokenCount => Tokens.Count;

    /// <inheritdoc/>
    public override IReadOnlyList<double> Weights { get; } = [.. Targets.Select(t => (double)t.Counting)];
}

/// <summary>The expected values of one head: classes or places (whole numbers), or numbers.</summary>
public sealed class HeadTargets
{
    private HeadTargets(int[]? classes, float[]? numbers, Shape shape, long counting)
    {
        Classes = classes;
        Numbers = numbers;
        Shape = shape;
        Counting = counting;
    }

    /// <summary>Classes of tokens or sequences, or places in them; null where they are numbers.</summary>
    public IReadOnlyList<int>? Classes { get; }

    /// <summary>Numbers, row by row; null where they are classes.</summary>
    public IReadOnlyList<float>? Numbers { get; }

    /// <summary>Their axes.</summary>
    public Shape Shape { get; }

    /// <summary>How many of them count: what the sum of the losses is divided by.</summary>
    public long Counting { get; }

    /// <summary>A class for every token, or for every sequence; a negative one does not count.</summary>
    public static HeadTargets Of(int[] classes)
    {
        ArgumentNullException.ThrowIfNull(classes);
        return new HeadTargets(classes, null, new Shape(classes.Length), classes.Count(c => c >= 0));
    }

    /// <summary>The first and the last token of an answer in every sequence, counted within it; those outside the sequence do not count.</summary>
    public static HeadTargets OfSpans(TokenBatch tokens, IReadOnlyList<(int First, int Last)> spans)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(spans);
        if (spans.Count != tokens.Sequences)
            throw new ArgumentException($"{tokens.Sequences} sequences, but {spans.Count} answers.", nameof(spans));
        int[] places = [.. spans.SelectMany(s => new[] { s.First, s.Last })];
        int counting = places.Where((p, i) => p >= 0 && p < tokens.Starts[(i / 2) + 1] - tokens.Starts[i / 2]).Count();
        return new HeadTargets(places, null, new Shape(spans.Count, 2), counting);
    }

    /// <summary>Numbers for every sequence or token: values of a regression, or whether each of several labels holds (1) or not (0).</summary>
    /// <param name="numbers">Row by row.</param>
    /// <param name="columns">Numbers in a row.</param>
    public static HeadTargets Of(float[] numbers, int columns = 1)
    {
        ArgumentNullException.ThrowIfNull(numbers);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        return numbers.Length % columns == 0
            ? new HeadTargets(null, numbers, columns == 1 ? new Shape(numbers.Length) : new Shape(numbers.Length / columns, columns), numbers.Length)
            : throw new ArgumentException($"{numbers.Length} numbers are no whole rows of {columns}.", nameof(numbers));
    }

    /// <summary>The targets as a tensor.</summary>
    public Tensor In(Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        return Classes is not null ? workspace.From([.. Classes], Shape) : workspace.From([.. Numbers!], Shape);
    }
}

/// <summary>Micro-batches for the heads of a model as a function of their number, so that training can go on from any step.</summary>
public abstract class TaskSource
{
    /// <summary>The micro-batch of a number, from 0, without end.</summary>
    public abstract TaskBatch this[long index] { get; }

    /// <summary>Everything once, in order: for evaluation.</summary>
    public abstract IEnumerable<TaskBatch> All();
}
