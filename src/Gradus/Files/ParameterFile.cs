using Gradus.Models;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>The parameters of a model in memory, shown as a file of tensors; the model is freed with it.</summary>
public sealed unsafe class ParameterFile : TensorFile
{
    private readonly LanguageModel _model;
    private readonly Dictionary<string, Tensor> _values;

    /// <summary>Shows the parameters of a model.</summary>
    /// <param name="path">What errors call it.</param>
    /// <param name="model">The model; attached adapters are not shown.</param>
    public ParameterFile(string path, LanguageModel model)
        : base(path, [.. Parameters(model).Select(p => new TensorEntry(p.Name, p.Value.DType, p.Shape))], new Dictionary<string, string>())
    {
        _model = model;
        _values = model.Parameters.ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    private protected override TensorBytes Locate(TensorEntry entry) => new((byte*)_values[entry.Name].Address, entry.ByteLength);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _model.Dispose();
    }

    private static IReadOnlyList<Parameter> Parameters(LanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Parameters;
    }
}
