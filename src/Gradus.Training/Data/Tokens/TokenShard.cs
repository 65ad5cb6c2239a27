using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Gradus.Training.Data.Tokens;

/// <summary>A number of whole documents: a table of where they end and of their bytes of text, then their tokens, all little-endian.</summary>
internal sealed class TokenShard : IDisposable
{
    /// <summary>Bytes of the header: magic, bytes of a token, documents, tokens.</summary>
    public const int HeaderBytes = 32;

    /// <summary>"GRTOKEN1".</summary>
    public const ulong Magic = 0x314E454B4F545247;

    private readonly byte[]? _memory;
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly long[] _ends;
    private readonly int[] _bytes;
    private readonly int _width;
    private readonly long _tokensAt;

    /// <summary>A shard that lies in memory as it would in a file.</summary>
    public TokenShard(byte[] contents)
        : this(contents.AsSpan(0, Math.Min(contents.Length, HeaderBytes)), contents.Length, (at, length) => contents[(int)at..(int)(at + length)]) =>
        _memory = contents;

    private TokenShard(MemoryMappedFile file, MemoryMappedViewAccessor view, long length)
        : this(ReadBytes(view, 0, HeaderBytes), length, (at, count) => ReadBytes(view, at, count)) =>
        (_file, _view) = (file, view);

    private TokenShard(ReadOnlySpan<byte> header, long length, Func<long, int, byte[]> read)
    {
        _width = (int)BinaryPrimitives.ReadInt64LittleEndian(header[8..]);
        Documents = (int)BinaryPrimitives.ReadInt64LittleEndian(header[16..]);
        Tokens = BinaryPrimitives.ReadInt64LittleEndian(header[24..]);
        _ends = MemoryMarshal.Cast<byte, long>(read(HeaderBytes, Documents * sizeof(long))).ToArray();
        _bytes = MemoryMarshal.Cast<byte, int>(read(HeaderBytes + ((long)Documents * sizeof(long)), Documents * sizeof(int))).ToArray();
        _tokensAt = HeaderBytes + ((long)Documents * (sizeof(long) + sizeof(int)));
        if (length != _tokensAt + (Tokens * _width))
            throw new InvalidDataException("The shard has another length than its header says.");
    }

    /// <summary>How many documents.</summary>
    public int Documents { get; }

    /// <summary>How many tokens.</summary>
    public long Tokens { get; }

    /// <summary>Maps a file; null where there is none or it is no whole shard.</summary>
    public static TokenShard? Open(string path)
    {
        if (!File.Exists(path) || new FileInfo(path).Length is var length && length < HeaderBytes)
            return null;
        MemoryMappedFile file = MemoryMappedFile.CreateFromFile(
            new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 0), null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        MemoryMappedViewAccessor view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        try
        {
            byte[] header = ReadBytes(view, 0, HeaderBytes);
            long documents = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(16)), width = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(8));
            bool sound = BinaryPrimitives.ReadUInt64LittleEndian(header) == Magic && width is 2 or 4 && documents >= 0 && documents <= (length - HeaderBytes) / (sizeof(long) + sizeof(int));
            if (sound)
                return new TokenShard(file, view, length);
        }
        catch (InvalidDataException)
        {
            // Not whole: it is made anew.
        }
        view.Dispose();
        file.Dispose();
        return null;
    }

    /// <summary>The place of a document's first token.</summary>
    public long StartOf(int document) => document == 0 ? 0 : _ends[document - 1];

    /// <summary>UTF-8 bytes of a document's text.</summary>
    public int TextBytes(int document) => _bytes[document];

    /// <summary>Reads tokens.</summary>
    public void Read(long start, Span<int> destination)
    {
        if (_width == 4)
        {
            ReadAt(start, destination);
            return;
        }
        Span<ushort> narrow = destination.Length <= 512 ? stackalloc ushort[destination.Length] : new ushort[destination.Length];
        ReadAt(start, narrow);
        for (int i = 0; i < narrow.Length; i++)
            destination[i] = narrow[i];
    }

    /// <summary>Unmaps the file.</summary>
    public void Dispose()
    {
        _view?.Dispose();
        _file?.Dispose();
    }

    private static byte[] ReadBytes(MemoryMappedViewAccessor view, long at, int count)
    {
        byte[] bytes = new byte[count];
        view.SafeMemoryMappedViewHandle.ReadSpan<byte>((ulong)(at + view.PointerOffset), bytes);
        return bytes;
    }

    private void ReadAt<T>(long start, Span<T> destination)
        where T : unmanaged
    {
        long at = _tokensAt + (start * _width);
        if (_memory is null)
            _view!.SafeMemoryMappedViewHandle.ReadSpan((ulong)(at + _view.PointerOffset), destination);
        else
            MemoryMarshal.Cast<byte, T>(_memory.AsSpan((int)at, destination.Length * _width)).CopyTo(destination);
    }
}

/// <summary>Collects documents until they make a shard.</summary>
/// <param name="vocabularySize">Tokens are below it.</param>
internal sealed class ShardBuilder(int vocabularySize)
{
    /// <summary>The most tokens of a shard in memory: it has to be one array.</summary>
    public const int LargestTokens = 1 << 27;

    private readonly int _width = vocabularySize <= 1 << 16 ? 2 : 4;
    private readonly List<long> _ends = [];
    private readonly List<int> _bytes = [];
    private readonly List<int[]> _documents = [];

    /// <summary>Documents so far.</summary>
    public int Documents => _documents.Count;

    /// <summary>Tokens so far.</summary>
    public long Tokens { get; private set; }

    /// <summary>Adds a document.</summary>
    public void Add(int[] ids, int textBytes)
    {
        Tokens += ids.Length;
        _documents.Add(ids);
        _ends.Add(Tokens);
        _bytes.Add(textBytes);
    }

    /// <summary>Whether a number of tokens is reached.</summary>
    public bool IsFull(int tokens) => Tokens >= tokens;

    /// <summary>The shard in memory; the builder is empty then.</summary>
    public TokenShard Take()
    {
        using MemoryStream stream = new();
        WriteTo(stream);
        return new TokenShard(stream.ToArray());
    }

    /// <summary>Writes the shard; the builder is empty then.</summary>
    public void WriteTo(Stream stream)
    {
        byte[] header = new byte[TokenShard.HeaderBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(header, TokenShard.Magic);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), _width);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), _documents.Count);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), Tokens);
        stream.Write(header);
        stream.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_ends)));
        stream.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_bytes)));
        foreach (int[] ids in _documents)
        {
            if (_width == 4)
            {
                stream.Write(MemoryMarshal.AsBytes(ids.AsSpan()));
                continue;
            }
            ushort[] narrow = Array.ConvertAll(ids, id => (ushort)id);
            stream.Write(MemoryMarshal.AsBytes(narrow.AsSpan()));
        }
        (Tokens, _) = (0, 0);
        _documents.Clear();
        _ends.Clear();
        _bytes.Clear();
    }
}
