using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression;

/// <summary>What is known about the inputs of one linear layer.</summary>
/// <param name="columns">Its inputs.</param>
public sealed class ColumnMoments(int columns)
{
    /// <summary>Σ x² of every column.</summary>
    public double[] Squares { get; } = new double[columns];

    /// <summary>Σ |x| of every column.</summary>
    public double[] Sizes { get; } = new double[columns];

    /// <summary>The largest |x| of every column.</summary>
    public float[] Largest { get; } = new float[columns];

    /// <summary>How many rows were seen.</summary>
    public long Rows { get; private set; }

    /// <summary>The mean of x² of every column; zeros where nothing was seen.</summary>
    public float[] MeanSquares => [.. Squares.Select(s => (float)(s / Math.Max(1, Rows)))];

    /// <summary>Adds rows.</summary>
    /// <param name="rows">Whole rows.</param>
    public void Add(ReadOnlySpan<float> rows)
    {
        for (int start = 0; start < rows.Length; start += columns)
        {
            ReadOnlySpan<float> row = rows.Slice(start, columns);
            for (int c = 0; c < columns; c++)
            {
                float x = row[c], size = Math.Abs(x);
                Squares[c] += (double)x * x;
                Sizes[c] += size;
                // Written so that NaN stays.
                Largest[c] = size <= Largest[c] ? Largest[c] : size;
            }
        }
        Rows += rows.Length / columns;
    }
}

/// <summary>Measures the inputs of linear layers: one number for each column, whatever the text's length.</summary>
public sealed class InputMoments : Observer
{
    private readonly OrderedDictionary<Linear, ColumnMoments> _layers = [];

    /// <summary>The layers in the order in which they first ran.</summary>
    public IReadOnlyDictionary<Linear, ColumnMoments> Layers => _layers;

    /// <inheritdoc/>
    public override void LinearInput(Linear linear, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(linear);
        ArgumentNullException.ThrowIfNull(x);
        if (!_layers.TryGetValue(linear, out ColumnMoments? moments))
            _layers.Add(linear, moments = new ColumnMoments(x.Shape.Columns));
        moments.Add(x.Values());
    }

    /// <summary>Lets a model read a text once, and measures the inputs of all its linear layers but the output head's.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">The text.</param>
    /// <param name="cancellation">Ends it between batches.</param>
    /// <exception cref="InvalidDataException">An activation is infinite or not a number; one line that names the layer.</exception>
    public static InputMoments Of(LanguageModel model, CalibrationText text, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(text);
        InputMoments moments = new();
        using Workspace workspace = model.Parts.Store.NewScratch(Precision.F32);
        foreach (TokenBatch batch in text.Batches)
        {
            cancellation.ThrowIfCancellationRequested();
            workspace.Reset();
            Pass pass = new(batch, workspace) { Observer = moments };
            if (pass.Source is { } source)
                source.Observer = moments;
            model.Hidden(pass);
        }
        foreach ((Linear linear, ColumnMoments columns) in moments.Layers)
            Require(linear, columns.Largest);
        return moments;
    }

    /// <summary>Refuses activations that are infinite or not a number.</summary>
    internal static void Require(Linear linear, ReadOnlySpan<float> values)
    {
        foreach (float value in values)
        {
            if (!float.IsFinite(value))
                throw new InvalidDataException($"The inputs of {linear.Path} are not finite on the calibration text: the model's weights are broken, or its activations too large; try another text or checkpoint.");
        }
    }
}
