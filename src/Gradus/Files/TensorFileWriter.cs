using System.Buffers;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>
/// Writes a file of tensors as a stream: all are declared first, then their data follows tensor by tensor in the order of
/// <see cref="Entries"/>, so that no more than one piece of one tensor is in memory.
/// </summary>
public abstract class TensorFileWriter : IDisposable
{
    // Whole numbers of blocks of every packed format. What several threads encode side by side is written at once.
    private const int PieceElements = 1 << 21;
    private const int PartElements = 1 << 16;
    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private int _current;
    private long _written;

    /// <summary>Takes the declared tensors; the format writes its header next and then calls <see cref="Begin"/>.</summary>
    private protected TensorFileWriter(Stream stream, IReadOnlyList<TensorEntry> entries, bool leaveOpen)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _stream = stream;
        _leaveOpen = leaveOpen;
        Entries = entries;
    }

    /// <summary>Supplies the data of a tensor: calls <c>Write</c> until it is whole.</summary>
    public delegate void Source(TensorEntry entry, TensorFileWriter writer);

    /// <summary>The tensors in the order in which their data is to be written.</summary>
    public IReadOnlyList<TensorEntry> Entries { get; }

    /// <summary>The length of the finished file in bytes.</summary>
    public long Length { get; private set; }

    /// <summary>Writes the next bytes of a tensor. Tensors come in the order of <see cref="Entries"/>, each in one or more pieces.</summary>
    /// <param name="name">The tensor; given to catch a mistaken order.</param>
    /// <param name="bytes">Elements, little-endian and row-major, or packed blocks.</param>
    /// <exception cref="InvalidOperationException">It is another tensor's turn, or the tensor gets more bytes than declared.</exception>
    public void Write(string name, ReadOnlySpan<byte> bytes)
    {
        if (Turn(name, bytes.IsEmpty) is not { } entry)
            return;
        if (bytes.Length > entry.ByteLength - _written)
            throw new InvalidOperationException($"Tensor '{name}' of shape {entry.Shape} and type {entry.TypeName} takes {entry.ByteLength} bytes, not {_written + bytes.Length}.");
        _stream.Write(bytes);
        _written += bytes.Length;
        if (_written == entry.ByteLength)
            Next();
    }

    /// <summary>Writes all bytes of a tensor from where they lie.</summary>
    /// <exception cref="InvalidOperationException">It is another tensor's turn, or the tensor gets more bytes than declared.</exception>
    public void Write(string name, TensorBytes bytes)
    {
        const int Piece = 1 << 24;
        for (long start = 0; start < bytes.Length; start += Piece)
            Write(name, bytes.Slice(start, (int)Math.Min(Piece, bytes.Length - start)));
    }

    /// <summary>
    /// Writes the next values of a tensor, rounded to its declared floating-point type (to nearest, ties to even) or packed into its
    /// blocks (then each piece is a whole number of blocks).
    /// </summary>
    /// <exception cref="ArgumentException">The tensor is declared with an integer type, or a piece cuts a block.</exception>
    /// <exception cref="InvalidOperationException">It is another tensor's turn, or the tensor gets more values than declared.</exception>
    public void Write(string name, ReadOnlySpan<float> values)
    {
        if (Turn(name, values.IsEmpty) is not { } entry)
            return;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Min(PieceElements, values.Length) * sizeof(double));
        try
        {
            while (!values.IsEmpty)
            {
                ReadOnlySpan<float> piece = values[..Math.Min(PieceElements, values.Length)];
                Span<byte> bytes = buffer.AsSpan(0, (int)ByteLength(entry, piece.Length));
                Encode(entry, piece, bytes);
                Write(name, bytes);
                values = values[piece.Length..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Writes every tensor from a source, and ends the file.</summary>
    /// <exception cref="InvalidOperationException">The source gave a tensor fewer or more bytes than declared.</exception>
    public void WriteAll(Source source)
    {
        ArgumentNullException.ThrowIfNull(source);
        foreach (TensorEntry entry in Entries)
            source(entry, this);
        Complete();
    }

    /// <summary>Ends the file.</summary>
    /// <exception cref="InvalidOperationException">A tensor is not fully written.</exception>
    public void Complete()
    {
        if (_current < Entries.Count)
            throw new InvalidOperationException($"Tensor '{Entries[_current].Name}' lacks {Entries[_current].ByteLength - _written} of its {Entries[_current].ByteLength} bytes.");
        _stream.Flush();
    }

    /// <summary>Closes the stream. Without <see cref="Complete"/> the file is unfinished and must not be kept.</summary>
    public void Dispose()
    {
        if (!_leaveOpen)
            _stream.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Bytes of zeros after a tensor.</summary>
    private protected virtual int PaddingAfter(TensorEntry entry) => 0;

    /// <summary>Writes the header; the data follows.</summary>
    private protected void Begin(ReadOnlySpan<byte> header)
    {
        Length = header.Length + Entries.Sum(e => e.ByteLength + PaddingAfter(e));
        _stream.Write(header);
        SkipEmpty();
    }

    /// <summary>The tensor that is written now if that is the named one; null for nothing to write, since empty tensors are passed over.</summary>
    private TensorEntry? Turn(string name, bool empty)
    {
        TensorEntry? entry = _current < Entries.Count ? Entries[_current] : null;
        if (entry?.Name == name)
            return entry;
        if (empty)
            return null;
        throw new InvalidOperationException(entry is null
            ? $"All {Entries.Count} tensors are written; there is no room for more of '{name}'."
            : $"It is the turn of '{entry.Name}' ({entry.ByteLength - _written} bytes to come), not of '{name}'.");
    }

    private static long ByteLength(TensorEntry entry, int count) => entry.Packed?.ByteLength(count) ?? (long)count * entry.DType.Size();

    private static unsafe void Encode(TensorEntry entry, ReadOnlySpan<float> values, Span<byte> bytes)
    {
        if (values.Length <= PartElements)
        {
            EncodePart(entry, values, bytes);
            return;
        }
        // A type that cannot be written says so here, not as the error of several threads.
        EncodePart(entry, [], []);
        fixed (float* from = values)
        fixed (byte* to = bytes)
        {
            (nint source, nint target, int count) = ((nint)from, (nint)to, values.Length);
            Parallel.For(0, (count + PartElements - 1) / PartElements, i =>
            {
                int start = i * PartElements, part = Math.Min(PartElements, count - start);
                EncodePart(entry, new ReadOnlySpan<float>((float*)source + start, part), new Span<byte>((byte*)target + ByteLength(entry, start), (int)ByteLength(entry, part)));
            });
        }
    }

    private static void EncodePart(TensorEntry entry, ReadOnlySpan<float> values, Span<byte> bytes)
    {
        if (entry.Packed is { } packed)
            packed.Pack(values, bytes);
        else
            ElementConversion.FromSingle(entry.DType, values, bytes);
    }

    private void Next()
    {
        _stream.Write(new byte[PaddingAfter(Entries[_current])]);
        _current++;
        _written = 0;
        SkipEmpty();
    }

    private void SkipEmpty()
    {
        while (_current < Entries.Count && Entries[_current].ByteLength == 0)
            _current++;
    }
}
