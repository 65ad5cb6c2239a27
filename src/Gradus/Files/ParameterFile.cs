using System.Runtime.InteropServices;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files;

/// <summary>Rows of blocks that stand for the weight of a linear layer: (out, in), however the model stores it.</summary>
/// <param name="Format">The blocks' format.</param>
/// <param name="Rows">Rows: outputs of the layer.</param>
/// <param name="Columns">Columns: inputs of the layer, whole blocks.</param>
/// <param name="Bytes">The rows, one after the other.</param>
public sealed record PackedRows(PackedFormat Format, int Rows, int Columns, byte[] Bytes);

/// <summary>The parameters of a model in memory, shown as a file of tensors; the model is freed with it.</summary>
public sealed unsafe class ParameterFile : TensorFile
{
    private readonly LanguageModel? _model;
    private readonly Dictionary<string, Tensor> _values;
    private readonly Dictionary<string, GCHandle> _packed;

    /// <summary>Shows the parameters of a model.</summary>
    /// <param name="path">What errors call it.</param>
    /// <param name="model">The model; attached adapters are not shown.</param>
    /// <param name="packed">Blocks that stand for parameters, by the parameters' names; null for none.</param>
    /// <param name="keepsModel">Whether the model stays when this is closed.</param>
    public ParameterFile(string path, LanguageModel model, IReadOnlyDictionary<string, PackedRows>? packed = null, bool keepsModel = false)
        : base(path, [.. Parameters(model).Select(p => Describe(p, packed))], new Dictionary<string, string>())
    {
        _model = keepsModel ? null : model;
        _values = model.Parameters.ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal);
        _packed = (packed ?? new Dictionary<string, PackedRows>()).ToDictionary(p => p.Key, p => GCHandle.Alloc(p.Value.Bytes, GCHandleType.Pinned), StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    private protected override TensorBytes Locate(TensorEntry entry) =>
        new((byte*)(entry.Packed is null ? _values[entry.Name].Address : _packed[entry.Name].AddrOfPinnedObject()), entry.ByteLength);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        foreach (GCHandle handle in _packed.Values)
            handle.Free();
        _packed.Clear();
        _model?.Dispose();
    }

    private static TensorEntry Describe(Parameter parameter, IReadOnlyDictionary<string, PackedRows>? packed) =>
        packed is not null && packed.TryGetValue(parameter.Name, out PackedRows? rows)
            ? new TensorEntry(parameter.Name, rows.Format, new Shape(rows.Rows, rows.Columns))
            : new TensorEntry(parameter.Name, parameter.Value.DType, parameter.Shape);

    private static IReadOnlyList<Parameter> Parameters(LanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Parameters;
    }
}
