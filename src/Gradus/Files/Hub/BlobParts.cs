using System.Globalization;
using System.Text;

namespace Gradus.Files.Hub;

/// <summary>
/// Which parts of an unfinished download are on the disk: a small file beside it, one character a part, so that a later run
/// fetches only what is missing. A download that another program left has no such file; its bytes are a beginning.
/// </summary>
internal sealed class BlobParts
{
    private readonly string _path;
    private readonly bool[] _done;
    private readonly Lock _lock = new();

    private BlobParts(string path, long size, int partBytes, bool[] done)
    {
        _path = path;
        Size = size;
        PartBytes = partBytes;
        _done = done;
    }

    /// <summary>The file's length in bytes.</summary>
    public long Size { get; }

    /// <summary>Bytes of a part; the last may be shorter.</summary>
    public int PartBytes { get; }

    /// <summary>The number of parts.</summary>
    public int Count => _done.Length;

    /// <summary>Bytes that are on the disk.</summary>
    public long DoneBytes
    {
        get
        {
            lock (_lock)
                return Enumerable.Range(0, Count).Where(i => _done[i]).Sum(i => Place(i).To - Place(i).From + 1);
        }
    }

    /// <summary>Takes up what an earlier run left of <paramref name="incomplete"/>, or starts anew.</summary>
    public static BlobParts Open(string incomplete, long size, int partBytes)
    {
        string path = $"{incomplete}.parts";
        int count = checked((int)((size + partBytes - 1) / partBytes));
        bool[] done = new bool[count];
        long present = File.Exists(incomplete) ? new FileInfo(incomplete).Length : 0;
        string[] lines = File.Exists(path) ? File.ReadAllLines(path) : [];
        if (lines.Length == 2 && lines[0] == Key(size, partBytes) && lines[1].Length == count)
        {
            for (int i = 0; i < count; i++)
                done[i] = lines[1][i] == '1' && Math.Min(size, (i + 1L) * partBytes) <= present;
        }
        else if (lines.Length == 0 && present <= size)
        {
            for (int i = 0; i < count; i++)
                done[i] = Math.Min(size, (i + 1L) * partBytes) <= present;
        }
        BlobParts parts = new(path, size, partBytes, done);
        parts.Save();
        return parts;
    }

    /// <summary>Whether a part is on the disk.</summary>
    public bool IsDone(int part)
    {
        lock (_lock)
            return _done[part];
    }

    /// <summary>The first and last byte of a part.</summary>
    public (long From, long To) Place(int part) => ((long)part * PartBytes, Math.Min(Size, (part + 1L) * PartBytes) - 1);

    /// <summary>Notes that a part is on the disk.</summary>
    public void Finish(int part)
    {
        lock (_lock)
        {
            _done[part] = true;
            Save();
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            Array.Clear(_done);
            Save();
        }
    }

    /// <summary>Removes the note; the file is whole.</summary>
    public void Delete() => File.Delete(_path);

    private static string Key(long size, int partBytes) => string.Create(CultureInfo.InvariantCulture, $"{size} {partBytes}");

    private void Save()
    {
        StringBuilder text = new(Key(Size, PartBytes));
        text.Append('\n');
        foreach (bool done in _done)
            text.Append(done ? '1' : '0');
        File.WriteAllText(_path, text.Append('\n').ToString());
    }
}
