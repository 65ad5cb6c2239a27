using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>A tensor of a PyTorch file: a strided view of a storage, checked to lie inside it.</summary>
internal sealed record PyTorchTensor(DType DType, Shape Shape, long[] Strides, long Offset);

/// <summary>
/// The few functions that a pickled state dictionary may name, re-done here: dictionaries, storages, tensors, parameters. Anything
/// else is refused by name. Source: torch/_utils.py, torch/serialization.py.
/// </summary>
/// <param name="path">The file, for messages.</param>
/// <param name="place">Where the bytes of a storage lie, by its key; null where the file has none.</param>
internal sealed class PyTorchObjects(string path, Func<string, (long Offset, long Length)?> place) : IPickleObjects
{
    private readonly Dictionary<string, (DType DType, long Count)> _wanted = new(StringComparer.Ordinal);

    /// <summary>The storages that were asked for: type and number of elements, by key.</summary>
    public IReadOnlyDictionary<string, (DType DType, long Count)> Wanted => _wanted;

    private static readonly Dictionary<string, DType> Storages = new()
    {
        ["FloatStorage"] = DType.F32,
        ["HalfStorage"] = DType.F16,
        ["BFloat16Storage"] = DType.BF16,
        ["DoubleStorage"] = DType.F64,
        ["CharStorage"] = DType.I8,
        ["ByteStorage"] = DType.U8,
        ["ShortStorage"] = DType.I16,
        ["IntStorage"] = DType.I32,
        ["LongStorage"] = DType.I64,
        ["BoolStorage"] = DType.Bool,
    };

    private static readonly HashSet<string> Functions =
    [
        "collections.OrderedDict", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
        "torch.Size", "torch.float32", "torch.float16", "torch.bfloat16", "torch.float64", "torch.int8", "torch.uint8", "torch.int16",
        "torch.int32", "torch.int64", "torch.bool",
    ];

    /// <inheritdoc/>
    public PickleGlobal Global(PickleGlobal global) => Functions.Contains($"{global.Module}.{global.Name}") || IsStorage(global)
        ? global
        : throw Malformed.File(path, $"asks for {Malformed.Quote($"{global.Module}.{global.Name}")}, which is refused: nothing in a checkpoint is executed. Save its state_dict() alone, or convert it to safetensors.");

    /// <inheritdoc/>
    public object? Call(PickleGlobal function, PickleList arguments) => (function.Name, arguments.Items) switch
    {
        ("OrderedDict", []) => new PickleMap(),
        ("OrderedDict", [PickleList pairs]) => FromPairs(pairs),
        ("Size", [PickleList sizes]) => sizes,
        ("_rebuild_parameter", [PyTorchTensor tensor, ..]) => tensor,
        ("_rebuild_tensor" or "_rebuild_tensor_v2", [Storage storage, long offset, PickleList sizes, PickleList strides, ..]) => Rebuild(storage, offset, sizes.Items, strides.Items),
        _ => throw new FormatException($"the arguments of {function.Name} are wrong"),
    };

    /// <inheritdoc/>
    public object? Build(object? target, object? state)
    {
        // An OrderedDict carries attributes such as _metadata, a parameter its flags: neither belongs to the weights.
        return target is PickleMap or PyTorchTensor ? target : throw new FormatException("an object that is not known is to be given a state");
    }

    /// <inheritdoc/>
    public object? Persistent(object? id)
    {
        // Before 1.6 a sixth item said which part of another storage this one is; nothing but none was ever written by then.
        if (id is not PickleList { Items: ["storage", PickleGlobal type, string key, _, long count, .. var rest] } || !IsStorage(type) || rest is not ([] or [null]))
            throw new FormatException("a storage is described in an unknown way");
        (long offset, long length) = place(key) ?? throw new FormatException($"its storage {Malformed.Quote(key)} is missing in the file");
        DType dtype = Storages[type.Name];
        if (count < 0 || count > length / dtype.Size())
            throw new FormatException($"its storage {Malformed.Quote(key)} has {length} bytes instead of {count} elements of {dtype}");
        if (!_wanted.TryAdd(key, (dtype, count)) && _wanted[key] != (dtype, count))
            throw new FormatException($"its storage {Malformed.Quote(key)} is described twice, and differently");
        return new Storage(dtype, offset, count);
    }

    private static bool IsStorage(PickleGlobal global) => global.Module is "torch" && Storages.ContainsKey(global.Name);

    private static PickleMap FromPairs(PickleList pairs)
    {
        PickleMap map = new();
        foreach (object? pair in pairs.Items)
            map.AddPairs(pair is PickleList { Items.Count: 2 } two ? two.Items : throw new FormatException("an OrderedDict is not made of pairs"));
        return map;
    }

    private static PyTorchTensor Rebuild(Storage storage, long offset, List<object?> sizes, List<object?> strides)
    {
        if (sizes.Count != strides.Count || sizes.Count > Shape.MaxRank || offset < 0)
            throw new FormatException($"a tensor has {sizes.Count} sizes and {strides.Count} strides (at most {Shape.MaxRank} are supported)");
        int[] axes = new int[sizes.Count];
        long[] steps = new long[sizes.Count];
        Int128 last = offset;
        for (int i = 0; i < axes.Length; i++)
        {
            if (sizes[i] is not (long and >= 0 and <= int.MaxValue) || strides[i] is not (long and >= 0))
                throw new FormatException("a tensor has a size or stride that is negative or too large");
            axes[i] = (int)(long)sizes[i]!;
            steps[i] = (long)strides[i]!;
            last += (Int128)Math.Max(0, axes[i] - 1) * steps[i];
        }
        Shape shape = Make(axes);
        // A view that repeats elements (stride 0) could ask for any amount of memory; a state dictionary has none.
        if (shape.Count > storage.Count || (shape.Count > 0 && last >= storage.Count))
            throw new FormatException($"a tensor of shape {shape} reaches beyond its storage of {storage.Count} elements");
        return new PyTorchTensor(storage.DType, shape, steps, storage.Offset + (shape.Count == 0 ? 0 : offset * storage.DType.Size()));
    }

    private static Shape Make(int[] axes)
    {
        try
        {
            return new Shape(axes);
        }
        catch (ArgumentException)
        {
            throw new FormatException("a tensor has more than 2^62 elements");
        }
    }

    private sealed record Storage(DType DType, long Offset, long Count);
}
