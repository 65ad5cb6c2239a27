using System.Runtime.InteropServices;
using Gradus.Files;
using Gradus.Tensors;

namespace Gradus.Tests.Goldens;

/// <summary>Tensors of a golden file as managed arrays.</summary>
internal sealed class TensorsOf(string path) : IDisposable
{
    private readonly TensorFile _file = TensorFile.Open(path);

    public IEnumerable<string> Names => _file.Entries.Select(e => e.Name);

    public bool Has(string name) => _file.TryGet(name, out _);

    public Shape ShapeOf(string name) => _file[name].Shape;

    public float[] Floats(string name)
    {
        float[] values = new float[_file[name].Shape.Count];
        _file.Read(_file[name], values);
        return values;
    }

    public int[] Ints(string name)
    {
        TensorEntry entry = _file[name];
        Assert.Equal(DType.I64, entry.DType);
        return [.. MemoryMarshal.Cast<byte, long>(_file.Bytes(entry).Span).ToArray().Select(v => checked((int)v))];
    }

    public void Dispose() => _file.Dispose();
}
