using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Gradus.Tensors.Tests;

/// <summary>The arrays of a golden safetensors file. This room knows no file formats, so its tests read the little they need themselves.</summary>
internal sealed class GoldenTensors
{
    private readonly byte[] _data;
    private readonly Dictionary<string, (int[] Shape, string Type, int Start, int End)> _entries = new(StringComparer.Ordinal);

    public GoldenTensors(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int header = checked((int)BinaryPrimitives.ReadInt64LittleEndian(file));
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        foreach (JsonProperty entry in json.RootElement.EnumerateObject().Where(e => e.Name != "__metadata__"))
        {
            int[] offsets = [.. entry.Value.GetProperty("data_offsets").EnumerateArray().Select(o => o.GetInt32())];
            _entries[entry.Name] = ([.. entry.Value.GetProperty("shape").EnumerateArray().Select(a => a.GetInt32())], entry.Value.GetProperty("dtype").GetString()!, offsets[0], offsets[1]);
        }
        _data = file[(8 + header)..];
    }

    public IEnumerable<string> Names => _entries.Keys.Order(StringComparer.Ordinal);

    public bool Has(string name) => _entries.ContainsKey(name);

    public int[] Shape(string name) => _entries[name].Shape;

    public float[] Floats(string name)
    {
        Assert.Equal("F32", _entries[name].Type);
        return MemoryMarshal.Cast<byte, float>(Bytes(name)).ToArray();
    }

    public int[] Integers(string name)
    {
        Assert.Equal("I64", _entries[name].Type);
        return [.. MemoryMarshal.Cast<byte, long>(Bytes(name)).ToArray().Select(v => checked((int)v))];
    }

    /// <summary>A tensor of the file in a workspace.</summary>
    public Tensor In(Workspace w, string name) => w.From(Floats(name), new Shape(Shape(name)));

    private ReadOnlySpan<byte> Bytes(string name) => _data.AsSpan(_entries[name].Start, _entries[name].End - _entries[name].Start);
}
