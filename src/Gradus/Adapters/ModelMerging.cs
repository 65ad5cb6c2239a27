using Gradus.Files;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>Several models of one architecture as one, tensor by tensor: no more than one tensor of each is in memory.</summary>
public sealed class MergedModels : TensorFile
{
    private readonly IReadOnlyList<TensorFile> _models;
    private readonly TensorFile? _base;
    private readonly MergeOptions _options;
    private string? _made;
    private float[] _values = [];

    private MergedModels(string path, IReadOnlyList<TensorFile> models, TensorFile? baseModel, MergeOptions options)
        : base(path, [.. models[0].Entries.Select(e => new TensorEntry(e.Name, DType.F32, e.Shape))], new Dictionary<string, string>())
    {
        (_models, _base, _options) = (models, baseModel, options);
    }

    /// <summary>Prepares to merge; nothing is read yet.</summary>
    /// <param name="path">What errors call the result.</param>
    /// <param name="models">The models; closed with this.</param>
    /// <param name="baseModel">What the changes are measured from; methods of changes need it. Closed with this.</param>
    /// <param name="options">The method.</param>
    /// <exception cref="InvalidDataException">The models do not have the same tensors, or the method does not fit; one line.</exception>
    public static MergedModels Open(string path, IReadOnlyList<TensorFile> models, TensorFile? baseModel, MergeOptions options)
    {
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Problem(models.Count, adapters: false) is { } problem)
            throw new InvalidDataException($"merge: {problem}.");
        bool needsBase = options.Method is not (MergeMethod.Linear or MergeMethod.Slerp);
        if (needsBase != baseModel is not null)
            throw new InvalidDataException(needsBase ? $"merge: {options.Method} merges what the models have changed; give the base model that they come from." : $"merge: {options.Method} has no base model; leave it out.");
        foreach (TensorFile other in models.Skip(1).Concat(baseModel is null ? [] : [baseModel]))
        {
            foreach (TensorEntry entry in models[0].Entries)
            {
                if (!other.TryGet(entry.Name, out TensorEntry? same))
                    throw new InvalidDataException($"{other.Path}: tensor \"{entry.Name}\" is missing, which {models[0].Path} has; only models of one architecture can be merged.");
                if (same.Shape != entry.Shape)
                    throw new InvalidDataException($"{other.Path}: tensor \"{entry.Name}\" has the shape {same.Shape}, in {models[0].Path} {entry.Shape}; only models of one size can be merged.");
            }
        }
        return new MergedModels(path, models, baseModel, options);
    }

    /// <inheritdoc/>
    public override void Read(TensorEntry entry, long start, Span<float> destination)
    {
        ArgumentNullException.ThrowIfNull(entry);
        // Writers read a tensor in pieces.
        if (_made != entry.Name)
            (_values, _made) = (Make(entry), entry.Name);
        _values.AsSpan(checked((int)start), destination.Length).CopyTo(destination);
    }

    private float[] Make(TensorEntry entry)
    {
        float[][] each = [.. _models.Select(m => Values(m, entry.Name))];
        MergeOptions options = _options;
        if (_base is null)
        {
            // Whole models keep their size.
            float sum = options.Weights.Sum();
            if (options.Method == MergeMethod.Linear)
                options = options with { Weights = [.. options.Weights.Select(w => w / sum)] };
            return WeightMerging.Merge(each, options, entry.Name);
        }
        float[] before = Values(_base, entry.Name);
        foreach (float[] one in each)
        {
            for (int i = 0; i < one.Length; i++)
                one[i] -= before[i];
        }
        float[] change = WeightMerging.Merge(each, options, entry.Name);
        for (int i = 0; i < change.Length; i++)
            change[i] += before[i];
        return change;
    }

    /// <inheritdoc/>
    private protected override TensorBytes Locate(TensorEntry entry) => throw new NotSupportedException("Merged tensors are made when they are read.");

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        foreach (TensorFile file in _models.Concat(_base is null ? [] : [_base]))
            file.Dispose();
    }

    private static float[] Values(TensorFile file, string name)
    {
        float[] values = new float[file[name].Shape.Count];
        file.Read(file[name], values);
        return values;
    }
}

/// <summary>
/// Several LoRA adapters of one base model as one, in PEFT's layout, by the rules of PEFT's <c>add_weighted_adapter</c>: linear and the
/// methods of changes work on A and B apart, with roots of weight and scale on each; <c>cat</c> and <c>svd</c> on the changes themselves.
/// </summary>
public static class LoraMerging
{
    private const string EndA = ".lora_A.weight", EndB = ".lora_B.weight";

    /// <summary>Merges adapters into a folder that is being written.</summary>
    /// <param name="folder">The folder; to be committed by the caller.</param>
    /// <param name="adapters">Folders of adapters in PEFT's layout.</param>
    /// <param name="options">The method.</param>
    /// <exception cref="InvalidDataException">An adapter is no plain LoRA, or they do not fit each other; one line.</exception>
    public static void Write(AtomicFolder folder, IReadOnlyList<string> adapters, MergeOptions options)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(adapters);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Problem(adapters.Count, adapters: true) is { } problem)
            throw new InvalidDataException($"merge: {problem}.");
        LoraConfig[] configs = [.. adapters.Select(Config)];
        TensorFile[] files = [.. adapters.Select(a => TensorFile.Open(Path.Combine(a, PeftFolder.WeightsFile)))];
        using Workspace store = new(ReferenceDevice.Instance);
        try
        {
            Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
            Dictionary<string, int> ranks = new(StringComparer.Ordinal);
            foreach (string layer in Layers(files))
            {
                Factors[] each = [.. files.Select((f, i) => Read(f, layer, configs[i], options.Weights[i])).OfType<Factors>()];
                (Tensor a, Tensor b) = Merge(each, options, layer, store);
                tensors[layer + EndA] = a;
                tensors[layer + EndB] = b;
                ranks[layer["base_model.model.".Length..]] = a.Shape[0];
            }
            int rank = ranks.Values.GroupBy(r => r).MaxBy(g => g.Count())!.Key;
            LoraConfig merged = configs[0] with
            {
                R = rank,
                LoraAlpha = rank,
                UseRslora = false,
                RankPattern = ranks.Where(r => r.Value != rank).ToDictionary(r => System.Text.RegularExpressions.Regex.Escape(r.Key), r => r.Value),
                AlphaPattern = ranks.Where(r => r.Value != rank).ToDictionary(r => System.Text.RegularExpressions.Regex.Escape(r.Key), r => (double)r.Value),
                TargetModules = new ModuleNames([.. ranks.Keys.Order(StringComparer.Ordinal)]),
                LayersToTransform = null,
                LayersPattern = null,
                InferenceMode = true,
            };
            Checkpoint.WriteObject(folder, PeftFolder.ConfigFile, merged.ToJson());
            Checkpoint.WriteTensors(folder.Create(PeftFolder.WeightsFile), tensors);
        }
        finally
        {
            foreach (TensorFile file in files)
                file.Dispose();
        }
    }

    private static LoraConfig Config(string folder) => PeftFolder.ReadConfig(folder) is LoraConfig { UseDora: false, Bias: LoraBias.None, TrainableTokenIndices: null } lora
            && lora.ModulesToSave is not { Count: > 0 } && lora.InitLoraWeights?.TakesFromBase != true
        ? lora
        : throw new InvalidDataException($"{folder}: only plain LoRA adapters can be merged with each other (no DoRA, biases, whole modules, or starts that take from the base model); merge each into its model, and those models.");

    private static IEnumerable<string> Layers(TensorFile[] files)
    {
        foreach (TensorFile file in files)
        {
            if (file.Entries.FirstOrDefault(e => !e.Name.EndsWith(EndA, StringComparison.Ordinal) && !e.Name.EndsWith(EndB, StringComparison.Ordinal)) is { } other)
                throw new InvalidDataException($"{file.Path}: tensor \"{other.Name}\" belongs to no plain LoRA adapter of a linear layer, which alone can be merged with others.");
        }
        return files.SelectMany(f => f.Entries).Select(e => e.Name).Where(n => n.EndsWith(EndA, StringComparison.Ordinal)).Select(n => n[..^EndA.Length]).Distinct().Order(StringComparer.Ordinal);
    }

    private static Factors? Read(TensorFile file, string layer, LoraConfig config, float weight)
    {
        if (!file.TryGet(layer + EndA, out TensorEntry? a) || !file.TryGet(layer + EndB, out TensorEntry? b))
            return null;
        if (a.Shape.Rank != 2 || b.Shape.Rank != 2 || a.Shape[0] != b.Shape[1])
            throw new InvalidDataException($"{file.Path}: the factors of {layer}, {a.Shape} and {b.Shape}, do not fit each other.");
        float[] first = new float[a.Shape.Count], second = new float[b.Shape.Count];
        file.Read(a, first);
        file.Read(b, second);
        return new Factors(file.Path, first, second, a.Shape[0], a.Shape[1], b.Shape[0], weight, config.ScaleOf(layer["base_model.model.".Length..]));
    }

    private static (Tensor A, Tensor B) Merge(Factors[] each, MergeOptions options, string layer, Workspace store)
    {
        Factors first = each[0];
        if (each.FirstOrDefault(f => f.Inputs != first.Inputs || f.Outputs != first.Outputs) is { } other)
            throw new InvalidDataException($"{other.Path}: {layer} is a layer of ({other.Outputs}, {other.Inputs}), in {first.Path} of ({first.Outputs}, {first.Inputs}); only adapters of one base model can be merged.");
        if (options.Method == MergeMethod.Cat)
            return Concatenate(each, store);
        if (options.Method == MergeMethod.Svd)
        {
            (Tensor a, Tensor b) = Concatenate(each, store);
            Tensor change = b.MatMul(a);
            int rank = Math.Min(options.Rank ?? each.Max(f => f.Rank), Math.Min(first.Inputs, first.Outputs));
            return SingularValues.Largest(change.Values(), first.Outputs, first.Inputs, rank, store.Device).Factors(1, store);
        }
        if (each.FirstOrDefault(f => f.Rank != first.Rank) is { } unequal)
            throw new InvalidDataException($"{unequal.Path}: {layer} has rank {unequal.Rank}, in {first.Path} {first.Rank}; only cat and svd merge adapters of different ranks.");
        if (options.Method == MergeMethod.Slerp)
        {
            MergeOptions arc = options with { Weights = [.. each.Select(f => f.Weight)] };
            return each.Length == 2 && each[0].Scale == each[1].Scale
                ? (store.From(Scaled(WeightMerging.Merge([each[0].A, each[1].A], arc, layer), first.Scale), new Shape(first.Rank, first.Inputs)),
                    store.From(WeightMerging.Merge([each[0].B, each[1].B], arc, layer), new Shape(first.Outputs, first.Rank)))
                : throw new InvalidDataException($"{first.Path}: slerp goes between two adapters that have {layer} both, with equal alpha/r.");
        }
        // The sign of a negative weight goes to one of the two.
        float[] roots = [.. each.Select(f => MathF.Sqrt(MathF.Abs(f.Weight * f.Scale)))];
        MergeOptions onB = options with { Weights = roots }, onA = options with { Weights = [.. each.Select((f, i) => f.Weight * f.Scale < 0 ? -roots[i] : roots[i])] };
        return (store.From(WeightMerging.Merge([.. each.Select(f => f.A)], onA, layer + EndA), new Shape(first.Rank, first.Inputs)),
            store.From(WeightMerging.Merge([.. each.Select(f => f.B)], onB, layer + EndB), new Shape(first.Outputs, first.Rank)));
    }

    // A's below each other, each with its weight and scale; B's side by side.
    private static (Tensor A, Tensor B) Concatenate(Factors[] each, Workspace store)
    {
        int rank = each.Sum(f => f.Rank), inputs = each[0].Inputs, outputs = each[0].Outputs, at = 0;
        Tensor a = store.Empty(new Shape(rank, inputs)), b = store.Empty(new Shape(outputs, rank));
        foreach (Factors f in each)
        {
            Scaled(f.A, f.Weight * f.Scale).CopyTo(a.Span()[(at * inputs)..]);
            for (int o = 0; o < outputs; o++)
                f.B.AsSpan(o * f.Rank, f.Rank).CopyTo(b.Span()[((o * rank) + at)..]);
            at += f.Rank;
        }
        return (a, b);
    }

    private static float[] Scaled(float[] values, float factor) => Array.ConvertAll(values, v => v * factor);

    private sealed record Factors(string Path, float[] A, float[] B, int Rank, int Inputs, int Outputs, float Weight, float Scale);
}
