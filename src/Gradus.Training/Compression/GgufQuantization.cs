using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Text;

namespace Gradus.Training.Compression;

/// <summary>Quantizes a model into the blocks that a GGUF file of it has, and writes that file.</summary>
/// <param name="model">The model, in F32 and without adapters; its weights are changed.</param>
/// <param name="config">The content of config.json.</param>
/// <param name="tokenizer">The tokenizer, or null for a file without one.</param>
/// <param name="storage">The type of each tensor.</param>
/// <param name="generation">The content of generation_config.json, or null.</param>
public sealed class GgufQuantization(LanguageModel model, JsonObject config, Tokenizer? tokenizer, GgufStorage storage, JsonObject? generation = null)
{
    private readonly Lazy<IReadOnlyDictionary<string, (TensorEntry Tensor, int Part)>> _targets = new(() => TargetsOf(model, config, tokenizer, storage));

    /// <summary>Where each parameter goes.</summary>
    public IReadOnlyDictionary<string, (TensorEntry Tensor, int Part)> Targets => _targets.Value;

    /// <summary>Where each parameter of a model goes in a GGUF file.</summary>
    /// <exception cref="InvalidDataException">GGUF has no form for this model.</exception>
    /// <exception cref="NotSupportedException">GGUF has no form for this tokenizer.</exception>
    public static IReadOnlyDictionary<string, (TensorEntry Tensor, int Part)> TargetsOf(LanguageModel model, JsonObject config, Tokenizer? tokenizer, GgufStorage storage)
    {
        using GgufExport export = GgufExport.Plan(config, new ParameterFile("the model", model, keepsModel: true), tokenizer, new GgufExportOptions(storage));
        return export.Targets;
    }

    /// <summary>The blocks of a layer; null for layers that are written as the file's other tensors are: the output head, and what stays in F32 or F16.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="method">How values are chosen.</param>
    public WeightGrid? GridOf(Linear layer, QuantizationMethod method)
    {
        ArgumentNullException.ThrowIfNull(layer);
        if ((model as GenerativeModel)?.Head == layer || layer.Weight is not DenseWeight dense
            || !Targets.TryGetValue(dense.Parameter.Name, out (TensorEntry Tensor, int Part) target)
            || target.Tensor.Packed is not { } format || dense.Inputs % format.BlockSize != 0 || dense.Inputs != target.Tensor.Shape.Columns)
            return null;
        if (method is QuantizationMethod.Gptq or QuantizationMethod.Awq && format.CodeBits == 0)
            throw new InvalidDataException($"{format} stores the codes of a block together, so that {method.ToString().ToLowerInvariant()} cannot choose them one by one; take rtn or another target.");
        if (method == QuantizationMethod.Hqq && !Hqq.Takes(format))
            throw new InvalidDataException($"HQQ chooses a minimum for every block, which {format} does not store; take the target q4_1 or q5_1.");
        return new BlockGrid(format, dense.Outputs, dense.Inputs, method == QuantizationMethod.Hqq);
    }

    /// <summary>Writes the file: quantized layers as they are, the rest by the storage's rules.</summary>
    /// <param name="path">The file.</param>
    /// <param name="quantized">The quantized layers.</param>
    /// <param name="cancellation">Stops between tensors.</param>
    public void Write(string path, QuantizedLayers quantized, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(quantized);
        Dictionary<string, PackedRows> rows = quantized.Grids
            .Where(g => g.Value is BlockGrid)
            .ToDictionary(g => g.Key, g => Rows((BlockGrid)g.Value), StringComparer.Ordinal);
        using GgufExport export = GgufExport.Plan(
            config,
            new ParameterFile("the model", model, rows, keepsModel: true),
            tokenizer,
            new GgufExportOptions(storage, Path.GetFileNameWithoutExtension(path), KeepsBlocks: true),
            generation);
        export.Write(path, long.MaxValue, cancellation.ThrowIfCancellationRequested);
    }

    /// <summary>The storage that a budget of bits allows: for each tensor the format that takes most off the error for its bytes, until the budget is used.</summary>
    /// <param name="bitsPerWeight">Bits per weight over all quantized layers.</param>
    /// <param name="importance">Mean squares of a layer's inputs, or null where there are none.</param>
    /// <exception cref="InvalidDataException">Even the smallest formats take more.</exception>
    public GgufStorage WithinBudget(double bitsPerWeight, Func<Linear, float[]?> importance)
    {
        ArgumentNullException.ThrowIfNull(importance);
        List<MixedPrecision.Choice> choices = [];
        foreach (IGrouping<string, Linear> tensor in model.Parts.Linears.Where(l => GridOf(l, QuantizationMethod.Rtn) is not null).GroupBy(l => Targets[((DenseWeight)l.Weight).Parameter.Name].Tensor.Name, StringComparer.Ordinal))
            choices.Add(MixedPrecision.Measure(tensor.Key, [.. tensor], importance));
        return storage.With([
            .. storage.Exceptions,
            .. MixedPrecision.Choose(choices, bitsPerWeight).Select(c => (new Regex($"^{Regex.Escape(c.Key)}$", RegexOptions.NonBacktracking), GgufStorage.Get(c.Value.Name)))]);
    }

    private static PackedRows Rows(BlockGrid grid) => new(grid.Format, grid.Rows, grid.Columns, grid.Packed);
}
