using Gradus.Models;
using Gradus.Nn;

namespace Gradus.Training.Compression;

/// <summary>How the values are chosen that a stored form gives the weights.</summary>
public enum QuantizationMethod
{
    /// <summary>The nearest value (round to nearest).</summary>
    Rtn,

    /// <summary>Scales with the least error of the layer's outputs, by the mean squares of its inputs (llama.cpp's importance matrix).</summary>
    Imatrix,

    /// <summary>Column by column, later ones making up for the errors of earlier ones.</summary>
    Gptq,

    /// <summary>Scaled and clipped by the sizes of activations, then to nearest.</summary>
    Awq,

    /// <summary>Minima with few large errors; without data.</summary>
    Hqq,

    /// <summary>Outliers of activations moved into the weights, then to nearest.</summary>
    SmoothQuant,
}

/// <summary>How a model is quantized.</summary>
/// <param name="Method">How values are chosen.</param>
/// <param name="Gptq">How GPTQ rounds.</param>
/// <param name="Awq">How AWQ searches.</param>
/// <param name="Alpha">How much of the outliers SmoothQuant moves, from 0 to 1.</param>
public sealed record QuantizationOptions(QuantizationMethod Method = QuantizationMethod.Rtn, GptqOptions? Gptq = null, AwqOptions? Awq = null, float Alpha = 0.5f)
{
    /// <summary>Whether the method reads text.</summary>
    public bool NeedsText => Method is QuantizationMethod.Imatrix or QuantizationMethod.Gptq or QuantizationMethod.Awq or QuantizationMethod.SmoothQuant;
}

/// <summary>What quantizing one layer has cost.</summary>
/// <param name="Layer">Its path.</param>
/// <param name="Error">The squared error of its outputs in parts of their squares: over the calibration text, or for inputs of any direction where there is none.</param>
/// <param name="Bytes">Bytes of its stored weights.</param>
/// <param name="Note">What was done otherwise than asked, or null.</param>
public sealed record LayerLoss(string Layer, double Error, long Bytes, string? Note = null);

/// <summary>The quantized layers of a model.</summary>
/// <param name="Grids">The stored values by the parameter's name.</param>
/// <param name="Layers">What each has cost, in the order in which they were done.</param>
/// <param name="Scales">What AWQ has found.</param>
public sealed record QuantizedLayers(IReadOnlyDictionary<string, WeightGrid> Grids, IReadOnlyList<LayerLoss> Layers, IReadOnlyList<AwqScale> Scales);

/// <summary>Quantizes the linear layers of a model; afterwards these have the values that their stored form stands for.</summary>
/// <param name="model">The model, in F32 and without adapters.</param>
/// <param name="grids">Makes the form in which a layer's weights are stored; null for layers that are left alone.</param>
/// <param name="options">How.</param>
public sealed class ModelQuantizer(LanguageModel model, Func<Linear, WeightGrid?> grids, QuantizationOptions options)
{
    private readonly Dictionary<string, WeightGrid> _grids = new(StringComparer.Ordinal);
    private readonly List<LayerLoss> _layers = [];
    private readonly List<AwqScale> _scales = [];

    /// <summary>Is told of every layer that is done.</summary>
    public Action<LayerLoss>? Progress { get; init; }

    /// <summary>Ends the work between layers.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Mean squares of layers' inputs from elsewhere, by the layer's path: a matrix that was made before. Null to measure them on the text.</summary>
    public Func<Linear, float[]?>? Importance { get; init; }

    /// <summary>Quantizes.</summary>
    /// <param name="text">The calibration text; may be null for methods that read none, and for an importance that is given.</param>
    /// <exception cref="ArgumentException">The method needs text and there is none.</exception>
    /// <exception cref="InvalidDataException">Activations are infinite or not a number; one line that names the layer.</exception>
    public QuantizedLayers Run(CalibrationText? text)
    {
        if (options.NeedsText && text is null && Importance is null)
            throw new ArgumentException($"{options.Method} looks at activations; give calibration text.", nameof(text));
        if (options.Method == QuantizationMethod.Gptq)
            RunGptq(text!);
        else if (options.Method == QuantizationMethod.Awq)
            RunAwq(text!);
        else
            RunPlain(text);
        return new QuantizedLayers(_grids, _layers, _scales);
    }

    private void RunPlain(CalibrationText? text)
    {
        InputMoments? moments = Importance is null && text is not null ? InputMoments.Of(model, text, Cancellation) : null;
        if (options.Method == QuantizationMethod.SmoothQuant)
        {
            SmoothQuant.Apply(model, moments!, options.Alpha);
            moments = InputMoments.Of(model, text!, Cancellation);
        }
        foreach (Linear layer in model.Parts.Linears)
        {
            Cancellation.ThrowIfCancellationRequested();
            if (layer.Weight is not DenseWeight || grids(layer) is not { } grid)
                continue;
            float[] importance = Importance?.Invoke(layer) ?? (moments?.Layers.TryGetValue(layer, out ColumnMoments? seen) == true && seen.Rows > 0 ? seen.MeanSquares : []);
            bool weighs = options.Method == QuantizationMethod.Imatrix;
            float[] weight = LayerWeights.Read(layer);
            grid.RoundAll(weight, weighs ? importance : []);
            Take(layer, grid, weight, importance, weighs && importance.Length == 0 ? "no activations were seen" : null);
        }
    }

    private void RunAwq(CalibrationText text)
    {
        using BlockWalk walk = new(model, text);
        Awq awq = new(model, walk, grids, options.Awq ?? new AwqOptions());
        HashSet<Linear> done = [];
        while (walk.Current < walk.Count)
        {
            Cancellation.ThrowIfCancellationRequested();
            InputMoments moments = new();
            walk.Observe(moments);
            float[][] outputs = walk.Outputs();
            foreach ((Linear layer, ColumnMoments columns) in moments.Layers)
                InputMoments.Require(layer, columns.Largest);
            awq.Block();
            // Their inputs have other scales now.
            InputMoments scaled = new();
            walk.Observe(scaled);
            foreach ((Linear layer, ColumnMoments columns) in scaled.Layers)
            {
                if (layer.Weight is not DenseWeight || !done.Add(layer) || grids(layer) is not { } grid)
                    continue;
                float[] weight = LayerWeights.Read(layer);
                grid.RoundAll(weight, []);
                Take(layer, grid, weight, columns.MeanSquares, null);
            }
            walk.Advance(outputs);
        }
        _scales.AddRange(awq.Scales);
    }

    private void RunGptq(CalibrationText text)
    {
        GptqOptions gptq = options.Gptq ?? new GptqOptions();
        using BlockWalk walk = new(model, text);
        HashSet<Linear> done = [];
        while (walk.Current < walk.Count)
        {
            foreach (Func<Linear, bool> part in Parts(walk, gptq, done))
            {
                InputHessians hessians = new(part);
                walk.Observe(hessians);
                foreach (Linear layer in hessians.Layers)
                    QuantizeByGptq(layer, hessians, gptq, done);
            }
            walk.Advance();
        }
    }

    // All layers of a block at once, or those with the same input one after the other.
    private List<Func<Linear, bool>> Parts(BlockWalk walk, GptqOptions gptq, HashSet<Linear> done)
    {
        if (!gptq.TrueSequential)
            return [l => IsWanted(l, done)];
        InputHessians first = new(l => IsWanted(l, done));
        walk.Observe(first, batches: 1);
        return [.. first.Layers.GroupBy(first.LeaderOf).Select(g => (HashSet<Linear>)[.. g]).Select(g => (Func<Linear, bool>)g.Contains),
            l => IsWanted(l, done)];
    }

    private bool IsWanted(Linear layer, HashSet<Linear> done) => layer.Weight is DenseWeight && !done.Contains(layer) && grids(layer) is not null;

    private void QuantizeByGptq(Linear layer, InputHessians hessians, GptqOptions gptq, HashSet<Linear> done)
    {
        Cancellation.ThrowIfCancellationRequested();
        float[] hessian = hessians.Of(layer)!, weight = LayerWeights.Read(layer);
        InputMoments.Require(layer, Gptq.Diagonal(hessian, layer.Weight.Inputs));
        done.Add(layer);
        if (hessian.AsSpan().ContainsAnyExcept(0f))
        {
            RoundedMatrix rounded = Gptq.Quantize(() => grids(layer)!, weight, hessian, gptq);
            Take(layer, rounded.Grid, rounded.Error, rounded.Note);
            return;
        }
        WeightGrid grid = grids(layer)!;
        grid.RoundAll(weight, []);
        Take(layer, grid, weight, [], "no activations were seen; rounded to nearest");
    }

    private void Take(Linear layer, WeightGrid grid, float[] weight, float[] importance, string? note)
    {
        float[] stored = grid.Values();
        double off = 0, size = 0;
        for (int i = 0; i < weight.Length; i++)
        {
            double counted = importance.Length == 0 ? 1 : importance[i % importance.Length], d = (double)weight[i] - stored[i];
            off += counted * d * d;
            size += counted * weight[i] * weight[i];
        }
        Take(layer, grid, size > 0 ? off / size : 0, note);
    }

    private void Take(Linear layer, WeightGrid grid, double error, string? note)
    {
        LayerWeights.Write(layer, grid.Values());
        _grids[LayerWeights.NameOf(layer)] = grid;
        LayerLoss loss = new(layer.Path, error, grid.Bytes, note);
        _layers.Add(loss);
        Progress?.Invoke(loss);
    }
}
