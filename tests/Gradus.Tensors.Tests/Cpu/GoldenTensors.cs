using System.Runtime.InteropServices;
using System.Text.Json;
using Gradus.Testing;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>The tensors of one golden safetensors file.</summary>
internal sealed class GoldenTensors
{
    private readonly byte[] _file;
    private readonly JsonElement _header;
    private readonly int _data;

    public GoldenTensors(params string[] path)
    {
        _file = File.ReadAllBytes(SharedFolder.Find(["golden", .. path])!);
        int length = (int)BitConverter.ToInt64(_file);
        _header = JsonDocument.Parse(_file.AsMemory(8, length)).RootElement;
        _data = 8 + length;
    }

    public IEnumerable<string> Names => _header.EnumerateObject().Select(property => property.Name);

    public bool Has(string name) => _header.TryGetProperty(name, out _);

    public byte[] Bytes(string name)
    {
        JsonElement offsets = _header.GetProperty(name).GetProperty("data_offsets");
        return _file[(_data + offsets[0].GetInt32())..(_data + offsets[1].GetInt32())];
    }

    public float[] Floats(string name) => MemoryMarshal.Cast<byte, float>(Bytes(name)).ToArray();
}
