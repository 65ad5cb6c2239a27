// Pruning that makes a model smaller: whole heads, units of the feed-forward layer, layers. Units and heads are judged by the size of what they add
// to the residual stream, √(Σ mean x²·‖w‖²) of the layer that reads them; layers by block influence, 1 − cos(input, output) (Men et al., "ShortGPT",
// 2024; Muralidharan et al., "Compact Language Models via Pruning and Knowledge Distillation", 2024).

using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Tensor = Gradus.Tensors.Tensor;

namespace Gradus.Training.Compression.Pruning;

/// <summary>What is taken out of a model.</summary>
/// <param name="FeedForward">Units of every feed-forward layer that stay; null for all.</param>
/// <param name="KeyValueHeads">Key/value heads of every layer that stay, with the query heads that share them; null for all.</param>
/// <param name="Layers">Layers that stay; null for all.</param>
public sealed record StructuredPlan(int? FeedForward = null, int? KeyValueHeads = null, int? Layers = null);

/// <summary>A smaller model, and what was left out of the large one.</summary>
/// <param name="Model">The smaller model.</param>
/// <param name="DroppedLayers">The numbers of layers that were left out.</param>
/// <param name="Influence">The influence of every layer, where layers were judged.</param>
public sealed record PrunedModel(LanguageModel Model, IReadOnlyList<int> DroppedLayers, IReadOnlyList<double> Influence);

/// <summary>Makes smaller models of decoders.</summary>
public sealed class StructuredPruning
{
    private readonly DecoderModel _model;
    private readonly JsonObject _config;
    private readonly string _type;
    private readonly InputMoments _moments;
    private readonly CalibrationText _text;

    /// <summary>Measures the activations of a model.</summary>
    /// <param name="model">A decoder, in F32 and without adapters; it stays as it is.</param>
    /// <param name="text">The calibration text.</param>
    /// <exception cref="InvalidDataException">Activations are not finite; one line.</exception>
    public StructuredPruning(DecoderModel model, CalibrationText text)
    {
        ArgumentNullException.ThrowIfNull(model);
        (_model, _text) = (model, text);
        _config = Architectures.ToJson(model.Config);
        _type = Architectures.TypeOf(_config)!;
        _moments = InputMoments.Of(model, text);
    }

    /// <summary>Takes out what counts least.</summary>
    /// <param name="plan">What stays.</param>
    /// <exception cref="InvalidDataException">The architecture cannot be made smaller in this way, or a number is not below what the model has; one line.</exception>
    public PrunedModel Prune(StructuredPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        JsonObject config = (JsonObject)_config.DeepClone();
        Dictionary<string, Slice> slices = new(StringComparer.Ordinal);
        if (plan.FeedForward is { } width)
            NarrowFeedForward(width, config, slices);
        if (plan.KeyValueHeads is { } heads)
            NarrowAttention(heads, config, slices);
        double[] influence = [];
        int[] kept = [.. Enumerable.Range(0, LayerCount())];
        if (plan.Layers is { } layers)
        {
            Require(layers, kept.Length, "layers");
            influence = Influence();
            kept = [.. influence.Select((value, i) => (value, i)).OrderByDescending(v => v.value).ThenBy(v => v.i).Take(layers).Select(v => v.i).Order()];
            KeepLayers(config, kept);
        }
        LanguageModel smaller = Checkpoint.Create(Architectures.Parse(config, "the smaller model"), 0, _model.Device);
        Fill(smaller, slices, kept);
        return new PrunedModel(smaller, [.. Enumerable.Range(0, LayerCount()).Except(kept)], influence);
    }

    /// <summary>1 − the mean cosine of a block's input and output, for every block.</summary>
    public double[] Influence()
    {
        BlockCosines cosines = new();
        using Workspace workspace = _model.Parts.Store.NewScratch(Precision.F32);
        foreach (TokenBatch batch in _text.Batches)
        {
            workspace.Reset();
            cosines.Begin();
            _model.Hidden(new Pass(batch, workspace) { Runner = cosines });
        }
        return cosines.Influence;
    }

    private int LayerCount() => (int)_config[LayerKey()]!;

    private string LayerKey() => PruneSites.LayerKeyOf(_config) ?? throw new InvalidDataException($"{_type}: config.json does not say how many layers there are; layers cannot be taken out.");

    private void NarrowFeedForward(int width, JsonObject config, Dictionary<string, Slice> slices)
    {
        WidthSite site = PruneSites.FeedForwardOf(_type)
            ?? throw new InvalidDataException($"{_type}: feed-forward units cannot be taken out of this architecture; they can of {string.Join(", ", PruneSites.TypesWithFeedForward)}.");
        foreach (Linear reader in Readers(site.Reader))
        {
            Require(width, reader.Weight.Inputs, "feed-forward units");
            int[] kept = Largest(UnitScores(reader), width);
            string prefix = reader.Path[..^site.Reader.Length];
            foreach (string maker in site.Makers)
                Keep(slices, Layer(prefix + maker), outputs: kept, inputs: null);
            Keep(slices, reader, outputs: null, inputs: kept);
        }
        config[site.Key] = width;
    }

    private void NarrowAttention(int heads, JsonObject config, Dictionary<string, Slice> slices)
    {
        if (!PruneSites.HasHeads(_type))
            throw new InvalidDataException($"{_type}: heads cannot be taken out of this architecture; they can of {string.Join(", ", PruneSites.TypesWithHeads)}.");
        RotaryDecoderConfig shape = (RotaryDecoderConfig)_model.Config;
        int all = shape.NumKeyValueHeads ?? shape.NumAttentionHeads, queries = shape.NumAttentionHeads / all, width = shape.HeadDim ?? shape.HiddenSize / shape.NumAttentionHeads;
        Require(heads, all, "key/value heads");
        foreach (Linear output in Readers("self_attn.o_proj"))
        {
            double[] units = UnitScores(output), groups = new double[all];
            for (int i = 0; i < units.Length; i++)
                groups[i / (queries * width)] += units[i];
            int[] kept = Largest(groups, heads);
            int[] ofQueries = Rows(kept, queries * width), ofKeys = Rows(kept, width);
            string prefix = output.Path[..^"o_proj".Length];
            Keep(slices, Layer(prefix + "q_proj"), ofQueries, null);
            Keep(slices, Layer(prefix + "k_proj"), ofKeys, null);
            Keep(slices, Layer(prefix + "v_proj"), ofKeys, null);
            Keep(slices, output, null, ofQueries);
        }
        config["num_attention_heads"] = heads * queries;
        config["num_key_value_heads"] = heads;
        config["head_dim"] = width;
    }

    private void KeepLayers(JsonObject config, int[] kept)
    {
        config[LayerKey()] = kept.Length;
        foreach (string list in PruneSites.LayerLists)
        {
            if (config[list] is JsonArray values && values.Count == LayerCount())
                config[list] = new JsonArray([.. kept.Select(i => values[i]?.DeepClone())]);
        }
    }

    // The sizes of what units add: mean x² · ‖w‖² of the columns that read them.
    private double[] UnitScores(Linear reader)
    {
        float[] weight = LayerWeights.Read(reader), squares = _moments.Layers[reader].MeanSquares;
        double[] scores = new double[squares.Length];
        for (int i = 0; i < weight.Length; i++)
            scores[i % scores.Length] += (double)weight[i] * weight[i];
        for (int i = 0; i < scores.Length; i++)
            scores[i] *= squares[i];
        return scores;
    }

    private Linear[] Readers(string name)
    {
        Linear[] readers = [.. _moments.Layers.Keys.Where(l => l.Path.EndsWith("." + name, StringComparison.Ordinal))];
        return readers.Length > 0 ? readers : throw new InvalidDataException($"{_type}: has no layers named {name}; it cannot be made smaller in this way.");
    }

    private Linear Layer(string path) => _model.Parts.Linears.FirstOrDefault(l => l.Path == path)
        ?? throw new InvalidDataException($"{_type}: has no layer {path}; it cannot be made smaller in this way.");

    private static void Require(int kept, int all, string what)
    {
        if (kept < 1 || kept >= all)
            throw new InvalidDataException($"{kept} of {all} {what}: keep at least 1 and fewer than there are.");
    }

    private static int[] Largest(double[] scores, int count) =>
        [.. scores.Select((score, i) => (score, i)).OrderByDescending(s => s.score).ThenBy(s => s.i).Take(count).Select(s => s.i).Order()];

    private static int[] Rows(int[] groups, int size) => [.. groups.SelectMany(g => Enumerable.Range(g * size, size))];

    private static void Keep(Dictionary<string, Slice> slices, Linear layer, int[]? outputs, int[]? inputs)
    {
        DenseWeight dense = (DenseWeight)layer.Weight;
        bool outIn = dense.Layout == WeightLayout.OutIn;
        Slice old = slices.GetValueOrDefault(dense.Parameter.Name) ?? new Slice(null, null);
        slices[dense.Parameter.Name] = new Slice((outIn ? outputs : inputs) ?? old.Rows, (outIn ? inputs : outputs) ?? old.Columns);
        if (layer.Bias is { } bias && outputs is not null)
            slices[bias.Name] = new Slice(outputs, null);
    }

    private void Fill(LanguageModel smaller, Dictionary<string, Slice> slices, int[] kept)
    {
        foreach (Parameter parameter in smaller.Parameters)
        {
            string name = OldName(parameter.Name, kept);
            Parameter old = _model.Parts.Find(name) ?? throw new InvalidDataException($"{_type}: the smaller model asks for {name}, which the model does not have; it cannot be made smaller in this way.");
            float[] values = old.Value.ToArray();
            Slice slice = slices.GetValueOrDefault(name) ?? new Slice(null, null);
            float[] taken = slice.Of(values, old.Shape.Rank == 2 ? old.Shape[1] : 1);
            if (taken.Length != parameter.Shape.Count)
                throw new InvalidDataException($"{_type}: {name} has {taken.Length} values left, but the smaller model takes {parameter.Shape.Count}; it cannot be made smaller in this way.");
            taken.CopyTo(parameter.Value.Span());
        }
    }

    // model.layers.2.mlp… of the smaller model is model.layers.5.mlp… of the large one.
    private string OldName(string name, int[] kept)
    {
        if (kept.Length == LayerCount())
            return name;
        string[] parts = name.Split('.');
        int at = Array.FindIndex(parts, p => p.Length > 0 && p.All(char.IsAsciiDigit));
        if (at >= 0)
            parts[at] = kept[int.Parse(parts[at], System.Globalization.CultureInfo.InvariantCulture)].ToString(System.Globalization.CultureInfo.InvariantCulture);
        return string.Join('.', parts);
    }

    // Rows and columns that stay; null for all.
    private sealed record Slice(int[]? Rows, int[]? Columns)
    {
        public float[] Of(float[] values, int columns)
        {
            if (Rows is null && Columns is null)
                return values;
            int[] rows = Rows ?? [.. Enumerable.Range(0, values.Length / columns)], taken = Columns ?? [.. Enumerable.Range(0, columns)];
            float[] result = new float[rows.Length * taken.Length];
            for (int r = 0; r < rows.Length; r++)
            {
                for (int c = 0; c < taken.Length; c++)
                    result[(r * taken.Length) + c] = values[(rows[r] * columns) + taken[c]];
            }
            return result;
        }
    }

    private sealed class BlockCosines : BlockRunner
    {
        private readonly List<(double Sum, long Rows)> _blocks = [];
        private int _next;

        public double[] Influence => [.. _blocks.Select(b => 1 - (b.Sum / Math.Max(1, b.Rows)))];

        public void Begin() => _next = 0;

        public override Tensor Run(Pass pass, IBlock block, Tensor x)
        {
            Tensor y = Compute(pass, block, x);
            int width = x.Shape.Columns, rows = checked((int)x.Shape.Rows);
            double sum = 0;
            for (int r = 0; r < rows; r++)
                sum += TensorPrimitives.CosineSimilarity(x.Values().Slice(r * width, width), y.Values().Slice(r * width, width));
            if (_next == _blocks.Count)
                _blocks.Add((0, 0));
            _blocks[_next] = (_blocks[_next].Sum + sum, _blocks[_next].Rows + rows);
            _next++;
            return y;
        }
    }
}
