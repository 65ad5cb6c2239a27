using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gradus.Files;

/// <summary>
/// Writes a folder as a whole (a checkpoint). Files go into a temporary sibling; <see cref="Commit"/> forces them to the disk,
/// adds the marker <see cref="Marker"/> last, and swaps the folder into its name in one step. Whatever happens before, a full disk
/// or a killed process, the previous folder is untouched. What killed processes left beside the target is removed by the next
/// write in that place, or put back where the kill hit the swap itself on a system that cannot exchange names.
/// </summary>
public sealed class AtomicFolder : IDisposable
{
    /// <summary>
    /// The file that says the folder is whole: a JSON object of every file's relative path and length in bytes. A folder that was
    /// copied only in part does not match it.
    /// </summary>
    public const string Marker = ".complete";

    private const string Writing = ".writing-";
    private const string Replaced = ".replaced-";
    private readonly FolderLock _lock;
    private readonly Func<Stream, Stream> _layer;
    private readonly List<Stream> _streams = [];
    private bool _finished;

    private AtomicFolder(string target, FolderLock held, Func<Stream, Stream> layer)
    {
        Target = target;
        _lock = held;
        _layer = layer;
        TemporaryPath = Sibling(target, $"{Writing}{Environment.ProcessId}-{Guid.NewGuid():N}");
    }

    /// <summary>The folder's final path.</summary>
    public string Target { get; }

    /// <summary>Where the files lie until <see cref="Commit"/>; code that needs a path may write here directly.</summary>
    public string TemporaryPath { get; }

    /// <summary>Begins to write a folder, new or in place of one that this class wrote before.</summary>
    /// <exception cref="IOException">
    /// Another process is writing it, or the target exists and was not written by this class: nothing of the user's is replaced.
    /// </exception>
    public static AtomicFolder Begin(string target) => Begin(target, stream => stream);

    /// <summary>
    /// Whether a folder was written to its end and every file still has its length. False for folders without a marker, which other
    /// programs wrote.
    /// </summary>
    public static bool IsComplete(string folder)
    {
        Dictionary<string, long>? files = ReadMarker(folder);
        return files is not null && files.All(f => new FileInfo(Path.Combine(folder, f.Key)) is { Exists: true } info && info.Length == f.Value);
    }

    /// <summary>
    /// Removes what killed processes left in a folder of checkpoints, and puts a replaced folder back if its successor never
    /// arrived. Folders that are being written are left alone. Called by <see cref="Begin(string)"/>; readers may call it first.
    /// </summary>
    public static void CleanLeftovers(string parent)
    {
        if (!Directory.Exists(parent))
            return;
        foreach (string target in Directory.GetDirectories(parent).Select(TargetOf).OfType<string>().Distinct())
        {
            using FolderLock? held = FolderLock.TryAcquire(LockFile(target));
            if (held is not null)
                CleanLeftoversOf(target);
        }
    }

    /// <summary>Creates a file in the folder.</summary>
    /// <param name="name">A relative path with forward slashes; missing folders are made.</param>
    /// <exception cref="ArgumentException">The path leads out of the folder.</exception>
    public Stream Create(string name)
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        string path = Path.GetFullPath(Path.Combine(TemporaryPath, name));
        if (!path.StartsWith(TemporaryPath + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new ArgumentException($"'{name}' is not a path inside the folder being written.", nameof(name));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Stream stream = _layer(new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16));
        _streams.Add(stream);
        return stream;
    }

    /// <summary>Creates a file in the folder from text, as UTF-8.</summary>
    public void WriteAllText(string name, string text)
    {
        using Stream stream = Create(name);
        stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Forces everything to the disk and gives the folder its name. Streams from <see cref="Create"/> still open are closed.</summary>
    /// <exception cref="IOException">The disk is full or fails; the previous folder is untouched.</exception>
    public void Commit()
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        foreach (Stream stream in _streams)
            stream.Dispose();
        _streams.Clear();
        KeepForeignFiles();
        Dictionary<string, long> files = [];
        foreach (string file in Directory.EnumerateFiles(TemporaryPath, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            DurableStorage.FlushFile(file);
            files.Add(Path.GetRelativePath(TemporaryPath, file).Replace(Path.DirectorySeparatorChar, '/'), new FileInfo(file).Length);
        }
        foreach (string folder in Directory.EnumerateDirectories(TemporaryPath, "*", SearchOption.AllDirectories))
            DurableStorage.FlushDirectory(folder);
        WriteMarker(files);
        DurableStorage.FlushDirectory(TemporaryPath);
        Swap();
        _finished = true;
        _lock.Dispose();
    }

    /// <summary>Without <see cref="Commit"/>: removes the temporary folder. The target is untouched.</summary>
    public void Dispose()
    {
        if (_finished)
            return;
        _finished = true;
        foreach (Stream stream in _streams)
        {
            try
            {
                stream.Dispose();
            }
            catch (IOException)
            {
                // The last buffer did not fit on the disk either; the file goes away now.
            }
        }
        Remove(TemporaryPath);
        _lock.Dispose();
    }

    /// <summary>As <see cref="Begin(string)"/>, with a layer between the writers and the disk for tests of failures.</summary>
    internal static AtomicFolder Begin(string target, Func<Stream, Stream> layer)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        string parent = Path.GetDirectoryName(full) ?? throw new ArgumentException($"{target}: the root cannot be replaced.", nameof(target));
        Directory.CreateDirectory(parent);
        FolderLock held = FolderLock.Acquire(LockFile(full), full);
        try
        {
            CleanLeftoversOf(full);
            CleanLeftovers(parent);
            if (File.Exists(full))
                throw new IOException($"{full}: is a file; choose another name for the folder.");
            if (Directory.Exists(full) && Directory.EnumerateFileSystemEntries(full).Any() && ReadMarker(full) is null)
                throw new IOException($"{full}: exists and has no {Marker} marker, so it is not replaced; choose another folder or remove it first.");
            AtomicFolder folder = new(full, held, layer);
            Directory.CreateDirectory(folder.TemporaryPath);
            return folder;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private static string Sibling(string target, string suffix) => Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}{suffix}");

    private static string LockFile(string target) => Sibling(target, ".lock");

    /// <summary>The target that a leftover belongs to, or null for a name that is none of ours.</summary>
    private static string? TargetOf(string entry)
    {
        string name = Path.GetFileName(entry);
        int end = Math.Max(name.LastIndexOf(Writing, StringComparison.Ordinal), name.LastIndexOf(Replaced, StringComparison.Ordinal));
        bool ours = end > 1 && name[0] == '.';
        return ours ? Path.Combine(Path.GetDirectoryName(entry)!, name[1..end]) : null;
    }

    private static void CleanLeftoversOf(string target)
    {
        string parent = Path.GetDirectoryName(target)!;
        string name = Path.GetFileName(target);
        foreach (string replaced in Directory.GetDirectories(parent).Where(d => Path.GetFileName(d).StartsWith($".{name}{Replaced}", StringComparison.Ordinal)))
        {
            if (!Directory.Exists(target))
                Directory.Move(replaced, target);
            else
                Remove(replaced);
        }
        foreach (string unfinished in Directory.GetDirectories(parent).Where(d => Path.GetFileName(d).StartsWith($".{name}{Writing}", StringComparison.Ordinal)))
            Remove(unfinished);
    }

    private static void Remove(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    /// <summary>The save is done; a replaced folder that cannot be removed now is removed by the next write.</summary>
    private static void RemoveReplaced(string old)
    {
        try
        {
            Remove(old);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Still named as a leftover, so the next write finds it.
        }
    }

    private static Dictionary<string, long>? ReadMarker(string folder)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, Marker)));
            return json.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetInt64());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Copies files that others put into the folder being replaced, so that replacing loses only what was written here.</summary>
    private void KeepForeignFiles()
    {
        if (ReadMarker(Target) is not { } own)
            return;
        foreach (string file in Directory.EnumerateFiles(Target, "*", SearchOption.AllDirectories))
        {
            string name = Path.GetRelativePath(Target, file).Replace(Path.DirectorySeparatorChar, '/');
            string copy = Path.Combine(TemporaryPath, name);
            if (name == Marker || own.ContainsKey(name) || File.Exists(copy))
                continue;
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    private void WriteMarker(Dictionary<string, long> files)
    {
        string path = Path.Combine(TemporaryPath, Marker);
        using (Stream stream = _layer(new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None)))
        {
            using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
            json.WriteStartObject();
            foreach ((string name, long length) in files.Where(f => f.Key != Marker))
                json.WriteNumber(name, length);
            json.WriteEndObject();
        }
        DurableStorage.FlushFile(path);
    }

    // Windows renames no folder while a program has a file of it open: a model that is loaded is mapped.
    private static void MoveAside(string folder, string name)
    {
        try
        {
            Directory.Move(folder, name);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException && OperatingSystem.IsWindows())
        {
            throw new IOException($"{folder}: cannot be replaced while a program has one of its files open (a model that is loaded); close it, or choose another folder.", e);
        }
    }

    private void Swap()
    {
        string parent = Path.GetDirectoryName(Target)!;
        string? old = null;
        if (!Directory.Exists(Target))
        {
            Directory.Move(TemporaryPath, Target);
        }
        else if (DurableStorage.TryExchange(TemporaryPath, Target))
        {
            old = TemporaryPath;
        }
        else
        {
            // Between the two moves the target has no name; CleanLeftovers puts the old one back if a kill hits here.
            old = Sibling(Target, $"{Replaced}{Environment.ProcessId}-{Guid.NewGuid():N}");
            MoveAside(Target, old);
            Directory.Move(TemporaryPath, Target);
        }
        DurableStorage.FlushDirectory(parent);
        if (old is not null)
            RemoveReplaced(old);
    }
}
