using System.Diagnostics.CodeAnalysis;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files;

/// <summary>
/// Named tensors on disk, whatever the format: their names, types and shapes, their bytes where they lie (memory-mapped, so
/// opening reads only the header), and their values converted to float. Safe for concurrent reading; files are untrusted and
/// fully checked when they are opened.
/// </summary>
public abstract class TensorFile : IDisposable
{
    private readonly Dictionary<string, TensorEntry> _byName = new(StringComparer.Ordinal);
    private bool _disposed;

    /// <summary>Takes the checked contents of a file.</summary>
    /// <exception cref="InvalidDataException">Two tensors have one name.</exception>
    private protected TensorFile(string path, IReadOnlyList<TensorEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        Path = path;
        Entries = entries;
        Metadata = metadata;
        foreach (TensorEntry entry in entries)
        {
            if (!_byName.TryAdd(entry.Name, entry))
                throw Malformed.Tensor(path, entry.Name, "occurs twice; the file is damaged, get it again.");
        }
    }

    /// <summary>The file, or the index or folder of several files, as it was given.</summary>
    public string Path { get; }

    /// <summary>The tensors in the order in which they lie in the file.</summary>
    public IReadOnlyList<TensorEntry> Entries { get; }

    /// <summary>What the file says about itself, as text.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensor of a name.</summary>
    /// <exception cref="InvalidDataException">The file has no such tensor.</exception>
    public TensorEntry this[string name] => TryGet(name, out TensorEntry? entry)
        ? entry
        : throw Malformed.Tensor(Path, name, $"is missing among the {Entries.Count} tensors of the file; is it a checkpoint of this architecture?");

    /// <summary>
    /// Opens a file by its contents and name: a folder in the Hugging Face layout, an index of shards, or one file of any format
    /// this room reads.
    /// </summary>
    /// <exception cref="InvalidDataException">The contents are damaged or of a format that is not read here.</exception>
    /// <exception cref="FileNotFoundException">There is no such file, or no checkpoint in the folder.</exception>
    public static TensorFile Open(string path) => TensorFormats.Open(path);

    /// <summary>Finds a tensor by name.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out TensorEntry? entry) => _byName.TryGetValue(name, out entry);

    /// <summary>The stored bytes of a tensor, without a copy where the file's layout allows it.</summary>
    /// <exception cref="ArgumentException">The entry is not one of this file.</exception>
    public TensorBytes Bytes(TensorEntry entry) => Locate(Checked(entry, 0, 0));

    /// <summary>Reads a whole tensor as floats: narrower floats widen, wider ones and integers round, packed blocks unpack.</summary>
    /// <param name="entry">One of <see cref="Entries"/>.</param>
    /// <param name="destination">Exactly as many values as the shape counts, row-major.</param>
    /// <exception cref="ArgumentException">The lengths differ, or the entry is not one of this file.</exception>
    public void Read(TensorEntry entry, Span<float> destination)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (entry.Shape.Count != destination.Length)
            throw new ArgumentException($"Tensor {Malformed.Quote(entry.Name)} of shape {entry.Shape} has {entry.Shape.Count} values, the destination {destination.Length}.", nameof(destination));
        Read(entry, 0, destination);
    }

    /// <summary>Reads a part of a tensor as floats.</summary>
    /// <param name="entry">One of <see cref="Entries"/>.</param>
    /// <param name="start">The first element, row-major; for packed blocks a multiple of the block size.</param>
    /// <param name="destination">The values to fill; for packed blocks a whole number of blocks.</param>
    /// <exception cref="ArgumentException">The part does not lie inside the tensor or cuts a block, or the entry is not one of this file.</exception>
    public virtual void Read(TensorEntry entry, long start, Span<float> destination)
    {
        TensorBytes bytes = Bytes(Checked(entry, start, destination.Length));
        if (entry.Packed is { } packed)
        {
            packed.Unpack(bytes.Slice(packed.ByteLength(start), checked((int)packed.ByteLength(destination.Length))), destination);
            return;
        }
        // F64 takes two bytes for each byte of float: keep every slice below the largest span.
        const int Chunk = 1 << 26;
        int size = entry.DType.Size();
        for (int done = 0; done < destination.Length; done += Chunk)
        {
            Span<float> part = destination[done..Math.Min(destination.Length, done + Chunk)];
            ElementConversion.ToSingle(entry.DType, bytes.Slice((start + done) * size, part.Length * size), part);
        }
    }

    /// <summary>The output layer's tensor that is a token table, where the file has it under that name alone; or null.</summary>
    /// <param name="table">The name of a parameter that the file lacks.</param>
    internal TensorEntry? FindTied(string table) => !StoredNames.IsTokenTable(table)
        ? null
        : StoredNames.TiedHeads.Select(head => TryGet(head, out TensorEntry? entry) ? entry : null).FirstOrDefault(e => e is not null);

    /// <summary>Writes a tensor as floats into another file, which rounds or packs them: piece by piece, each read by many threads.</summary>
    /// <param name="entry">One of <see cref="Entries"/>.</param>
    /// <param name="writer">The other file; it is the tensor's turn.</param>
    /// <param name="name">The tensor's name there.</param>
    /// <param name="check">Shown each piece before it is written; may throw.</param>
    /// <exception cref="ArgumentException">The entry is not one of this file.</exception>
    internal void Copy(TensorEntry entry, TensorFileWriter writer, string name, Action<float[], int>? check = null)
    {
        // Whole numbers of blocks of every format: what is read and written at once, 16 MiB of floats, and what one thread takes of it.
        const int Piece = 1 << 22, Part = 1 << 18;
        float[] values = new float[(int)Math.Min(Piece, entry.Shape.Count)];
        for (long start = 0; start < entry.Shape.Count; start += Piece)
        {
            int count = (int)Math.Min(Piece, entry.Shape.Count - start);
            Parallel.For(0, (count + Part - 1) / Part, i => Read(entry, start + (i * Part), values.AsSpan(i * Part, Math.Min(Part, count - (i * Part)))));
            check?.Invoke(values, count);
            writer.Write(name, values.AsSpan(0, count));
        }
    }

    /// <summary>A matrix that the file has in blocks, though spread over several tensors, or null: the tensor is not one.</summary>
    /// <param name="entry">One of <see cref="Entries"/>.</param>
    /// <param name="store">The workspace that lives as long as the matrix.</param>
    internal virtual PackedMatrix? ReadPacked(TensorEntry entry, Workspace store) => null;

    /// <summary>Closes the file; the bytes it handed out become invalid.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>An entry of this file, if a part lies inside it and cuts no block.</summary>
    private protected TensorEntry Checked(TensorEntry entry, long start, int count)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(entry);
        if (!_byName.TryGetValue(entry.Name, out TensorEntry? own) || !ReferenceEquals(own, entry))
            throw new ArgumentException($"Tensor {Malformed.Quote(entry.Name)} is not an entry of {Path}.", nameof(entry));
        if (start < 0 || start > entry.Shape.Count - count)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"{count} values from {start} on do not lie in tensor {Malformed.Quote(entry.Name)} of shape {entry.Shape}.");
        return entry.Packed is { } packed && start % packed.BlockSize != 0
            ? throw new ArgumentException($"{packed.Name} is read in whole blocks of {packed.BlockSize}, not from {start} on.", nameof(start))
            : entry;
    }

    /// <summary>Where the bytes of an entry lie.</summary>
    private protected abstract TensorBytes Locate(TensorEntry entry);

    /// <summary>Releases what the file holds.</summary>
    protected virtual void Dispose(bool disposing) => _disposed = true;
}
