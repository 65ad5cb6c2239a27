using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>
/// A file of <c>torch.save</c> (a zip archive with a pickle and stored tensors; before PyTorch 1.6 <see cref="PyTorchLegacy"/>), memory-mapped,
/// read without executing anything. Nested dictionaries and lists give names joined by dots; a file whose weights lie together in one
/// entry (<c>state_dict</c>, <c>model</c> …) gives their names without it; numbers and texts beside the tensors become metadata.
/// Left out: files of PyTorch before 0.4, TorchScript, sparse and quantized tensors, big-endian files.
/// </summary>
public sealed unsafe class PyTorchFile : TensorFile
{
    private const int LongestPickle = 256_000_000;
    private readonly MappedFile _file;
    private readonly RearrangedTensors _rearranged = new();
    private readonly Dictionary<string, PyTorchTensor> _strided;

    private PyTorchFile(MappedFile file, PyTorchContents contents)
        : base(file.Path, contents.Entries, contents.Metadata)
    {
        _file = file;
        _strided = contents.Strided;
    }

    /// <summary>Opens and checks a file.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or asks for anything but tensors in dictionaries and lists.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static new PyTorchFile Open(string path)
    {
        MappedFile file = new(path);
        try
        {
            return new PyTorchFile(file, Read(file));
        }
        catch (FormatException e)
        {
            file.Dispose();
            throw Malformed.File(path, $"has a pickle that cannot be read: {e.Message}; it is damaged or not a state dictionary, get it again.");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    private protected override TensorBytes Locate(TensorEntry entry)
    {
        return _strided.TryGetValue(entry.Name, out PyTorchTensor? tensor)
            ? _rearranged.Get(entry, destination => Gather(tensor, destination))
            : _file.Bytes(entry.Offset, entry.ByteLength);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _rearranged.Dispose();
        _file.Dispose();
    }

    private static PyTorchContents Read(MappedFile file)
    {
        if (file.Length >= PyTorchLegacy.Magic.Length && file.Span(0, PyTorchLegacy.Magic.Length).SequenceEqual(PyTorchLegacy.Magic))
            return PyTorchContents.Flatten(file.Path, file.Length, PyTorchLegacy.Read(file, LongestPickle));
        ZipDirectory zip = new(file);
        string[] pickles = [.. zip.Places.Keys.Where(n => n.EndsWith("/data.pkl", StringComparison.Ordinal))];
        if (pickles.Length != 1)
            throw Malformed.File(file.Path, $"is a zip archive with {pickles.Length} data.pkl instead of one; it is not a file of torch.save.");
        string root = pickles[0][..^"data.pkl".Length];
        if (zip.Places.TryGetValue($"{root}byteorder", out (long Offset, long Length) order) && !file.Span(order.Offset, (int)Math.Min(16, order.Length)).StartsWith("little"u8))
            throw Malformed.File(file.Path, "was saved on a big-endian machine, which is not supported; convert it to safetensors there.");
        (long offset, long length) = zip.Places[pickles[0]];
        if (length > LongestPickle)
            throw Malformed.File(file.Path, $"has a pickle of {length} bytes, more than the {LongestPickle} allowed; it is not a state dictionary.");
        return PyTorchContents.Flatten(file.Path, file.Length, PickleReader.Read(file.Span(offset, (int)length), new PyTorchObjects(file.Path, key => zip.Places.TryGetValue($"{root}data/{key}", out (long, long) place) ? place : null)));
    }

    /// <summary>Copies a strided view into row-major order.</summary>
    private void Gather(PyTorchTensor tensor, byte* destination)
    {
        Shape shape = tensor.Shape;
        int size = tensor.DType.Size();
        int rank = shape.Rank;
        // The view was checked to lie inside its storage, the storage inside the file.
        byte* source = _file.Bytes(tensor.Offset, 0).Pointer;
        Span<int> index = stackalloc int[Shape.MaxRank];
        index.Clear();
        long at = 0;
        for (long done = 0; done < shape.Count; done++)
        {
            Buffer.MemoryCopy(source + (at * size), destination + (done * size), size, size);
            for (int axis = rank - 1; axis >= 0; axis--)
            {
                at += tensor.Strides[axis];
                if (++index[axis] < shape[axis])
                    break;
                at -= tensor.Strides[axis] * shape[axis];
                index[axis] = 0;
            }
        }
    }
}
