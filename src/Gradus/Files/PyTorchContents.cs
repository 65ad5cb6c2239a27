using System.Globalization;

namespace Gradus.Files;

/// <summary>The tensors and values of an unpickled object, flattened to names.</summary>
internal sealed class PyTorchContents
{
    private const int Deepest = 32;

    private static readonly string[] Wrappers = ["state_dict", "model_state_dict", "model", "module"];
    private readonly string _path;
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private readonly List<(string Name, PyTorchTensor Tensor)> _found = [];
    private long _budget;

    private PyTorchContents(string path, long fileLength)
    {
        _path = path;
        // A pickle can share one object without end; the names of a real state dictionary are a part of its file.
        _budget = 1_000_000 + (16 * fileLength);
    }

    /// <summary>The tensors in the order of their data.</summary>
    public List<TensorEntry> Entries { get; } = [];

    /// <summary>Those tensors that do not lie in row-major order.</summary>
    public Dictionary<string, PyTorchTensor> Strided { get; } = new(StringComparer.Ordinal);

    /// <summary>Numbers and texts beside the tensors.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Flattens what a pickle holds.</summary>
    /// <exception cref="InvalidDataException">It holds no tensor, or is nested or repeated beyond reason.</exception>
    public static PyTorchContents Flatten(string path, long fileLength, object? root)
    {
        PyTorchContents contents = new(path, fileLength);
        contents.Visit(Unwrap(root), "", 0);
        if (contents._found.Count == 0)
            throw Malformed.File(path, "holds no tensors; it is not a state dictionary.");
        foreach ((string name, PyTorchTensor tensor) in contents._found.OrderBy(f => f.Tensor.Offset))
        {
            contents.Entries.Add(new TensorEntry(name, tensor.DType, tensor.Shape) { Offset = tensor.Offset });
            if (!IsRowMajor(tensor) && !contents.Strided.TryAdd(name, tensor))
                throw Malformed.Tensor(path, name, "occurs twice; the file is damaged, get it again.");
        }
        return contents;
    }

    private static object? Unwrap(object? root)
    {
        if (root is not PickleMap map || map.Pairs.Exists(p => p.Value is PyTorchTensor))
            return root;
        foreach (string wrapper in Wrappers)
        {
            if (map.Pairs.Find(p => p.Key is string key && key == wrapper).Value is PickleMap inner && inner.Pairs.Exists(p => p.Value is PyTorchTensor))
                return inner;
        }
        return root;
    }

    private static bool IsRowMajor(PyTorchTensor tensor)
    {
        long step = 1;
        for (int axis = tensor.Shape.Rank - 1; axis >= 0; axis--)
        {
            if (tensor.Shape[axis] != 1 && tensor.Strides[axis] != step)
                return tensor.Shape.Count == 0;
            step *= tensor.Shape[axis];
        }
        return true;
    }

    private void Visit(object? value, string name, int depth)
    {
        _budget -= name.Length + 16;
        if (depth > Deepest || _budget < 0)
            throw Malformed.File(_path, $"nests deeper than {Deepest}, or repeats its contents beyond its size; it is not a state dictionary.");
        string prefix = name.Length == 0 ? "" : $"{name}.";
        switch (value)
        {
            case PyTorchTensor tensor: _found.Add((name, tensor)); break;
            case string text: _metadata[name] = text; break;
            case long or double or bool: _metadata[name] = Convert.ToString(value, CultureInfo.InvariantCulture)!; break;
            case PickleMap map:
                foreach ((object key, object? item) in map.Pairs)
                    Visit(item, key is PickleGlobal ? $"{prefix}?" : $"{prefix}{Convert.ToString(key, CultureInfo.InvariantCulture)}", depth + 1);
                break;
            case PickleList list:
                for (int i = 0; i < list.Items.Count; i++)
                    Visit(list.Items[i], $"{prefix}{i}", depth + 1);
                break;
        }
    }
}
