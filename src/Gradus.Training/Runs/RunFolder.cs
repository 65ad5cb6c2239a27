using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Files;

namespace Gradus.Training.Runs;

/// <summary>
/// The folder of a run: <c>run.json</c> (resolved configuration, seed, instruction set, versions), <c>log.jsonl</c>,
/// <c>checkpoints/</c>, <c>samples/</c>, <c>eval/</c>. One process at a time writes it.
/// </summary>
public sealed class RunFolder : IDisposable
{
    /// <summary>The file of the log: a JSON object a line for each step and evaluation.</summary>
    public const string LogFile = "log.jsonl";

    private const string LockFile = ".lock";
    private const string UsersFile = "used-by.txt";
    private const string BestFile = "best.txt";
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly FolderLock _lock;
    private FileStream? _log;

    private RunFolder(string path, FolderLock held, bool resumed)
    {
        FullPath = path;
        _lock = held;
        Resumed = resumed;
    }

    /// <summary>The folder.</summary>
    public string FullPath { get; }

    /// <summary>Whether the folder held a run that goes on.</summary>
    public bool Resumed { get; }

    /// <summary>The folder of checkpoints.</summary>
    public string Checkpoints => Path.Combine(FullPath, "checkpoints");

    /// <summary>The step of the last evaluation that the log held when it was opened; −1 for none.</summary>
    public long LastEvaluation => Evaluations.Count == 0 ? -1 : Evaluations[^1].Step;

    /// <summary>Steps and losses of the evaluations that the log held when it was opened.</summary>
    public IReadOnlyList<(long Step, double Loss)> Evaluations { get; private set; } = [];

    private string LogPath => Path.Combine(FullPath, LogFile);

    /// <summary>Takes a folder for a run.</summary>
    /// <param name="path">The folder; made if it is missing.</param>
    /// <param name="resume">Whether a run that it holds goes on; without it the folder must hold none.</param>
    /// <exception cref="InvalidDataException">The folder holds a run, and it is not to go on.</exception>
    /// <exception cref="IOException">Another process writes the folder.</exception>
    public static RunFolder Open(string path, bool resume)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = Path.GetFullPath(path);
        if (File.Exists(full))
            throw new InvalidDataException($"{path}: is a file; a run needs a folder.");
        Directory.CreateDirectory(full);
        FolderLock held = FolderLock.Acquire(Path.Combine(full, LockFile), path);
        try
        {
            AtomicFolder.CleanLeftovers(Path.Combine(full, "checkpoints"));
            bool exists = File.Exists(Path.Combine(full, "run.json")) || LatestCheckpoint(full) is not null;
            return exists && !resume
                ? throw new InvalidDataException($"{path}: holds a run already; go on with --resume, or choose another folder.")
                : new RunFolder(full, held, exists);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>The newest whole checkpoint of a run, or null.</summary>
    public static string? LatestCheckpoint(string run)
    {
        string folder = Path.Combine(run, "checkpoints");
        if (!Directory.Exists(folder))
            return null;
        return Directory.GetDirectories(folder, "step-*")
            .Where(AtomicFolder.IsComplete)
            .MaxBy(StepOf);
    }

    /// <summary>The whole checkpoint that a run holds for its best (<see cref="MarkBest"/>), or null where it says nothing of it.</summary>
    public static string? BestCheckpoint(string run)
    {
        string file = Path.Combine(run, "checkpoints", BestFile);
        if (!File.Exists(file))
            return null;
        string folder = Path.Combine(run, "checkpoints", Path.GetFileName(File.ReadAllText(file).Trim()));
        return AtomicFolder.IsComplete(folder) ? folder : null;
    }

    /// <summary>Notes that the checkpoint after a number of steps is the best so far; it is kept however old it gets.</summary>
    public void MarkBest(long step) => AtomicFile.WriteAllText(Path.Combine(Checkpoints, BestFile), Path.GetFileName(CheckpointFolder(step)) + "\n");

    /// <summary>The newest checkpoint of a run that lacks its mark and is newer than the newest whole one, or null: somebody copied the run without dot files.</summary>
    public static string? CheckpointWithoutMark(string run)
    {
        string folder = Path.Combine(run, "checkpoints");
        if (!Directory.Exists(folder))
            return null;
        string? newest = Directory.GetDirectories(folder, "step-*").MaxBy(StepOf);
        return newest is not null && !File.Exists(Path.Combine(newest, AtomicFolder.Marker)) ? newest : null;
    }

    /// <summary>What is wrong with a checkpoint of <see cref="CheckpointWithoutMark"/>, and what to do.</summary>
    public static string DescribeWithoutMark(string checkpoint) =>
        $"{checkpoint}: its {AtomicFolder.Marker} mark is missing, so nobody knows whether it is whole; copy the run again with its dot files (cp -a, rsync -a)";

    /// <summary>Notes in a run's checkpoint that another run stands on it: the run keeps it then for as long as that other one is there.</summary>
    /// <param name="checkpoint">A folder; nothing is noted in one that is no run's checkpoint.</param>
    /// <param name="user">The folder of the run that uses it.</param>
    /// <returns>Whether it will stay: false where the folder cannot be written.</returns>
    public static bool KeepFor(string checkpoint, string user)
    {
        ArgumentException.ThrowIfNullOrEmpty(checkpoint);
        ArgumentException.ThrowIfNullOrEmpty(user);
        if (Path.GetFileName(Path.GetDirectoryName(checkpoint)) != "checkpoints" || !AtomicFolder.IsComplete(checkpoint))
            return true;
        string file = Path.Combine(checkpoint, UsersFile), full = Path.GetFullPath(user);
        try
        {
            if (!Users(checkpoint).Contains(full))
                File.AppendAllText(file, full + "\n");
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string[] Users(string checkpoint) => Path.Combine(checkpoint, UsersFile) is var file && File.Exists(file) ? File.ReadAllLines(file) : [];

    /// <summary>The newest whole checkpoint, or null where the run never came to one.</summary>
    /// <exception cref="InvalidDataException">
    /// A newer one lacks its mark, or all are damaged: going on without it, or starting over, is not for the program to decide.
    /// </exception>
    public string? CheckpointToGoOnFrom()
    {
        string? latest = LatestCheckpoint(FullPath);
        if (CheckpointWithoutMark(FullPath) is { } unmarked)
            throw new InvalidDataException($"{DescribeWithoutMark(unmarked)}, or remove it to {(latest is null ? "start over" : $"go on from {Path.GetFileName(latest)}")}.");
        if (latest is not null)
            return latest;
        return Directory.Exists(Checkpoints) && Directory.GetDirectories(Checkpoints, "step-*") is [string damaged, ..]
            ? throw new InvalidDataException($"{damaged}: the checkpoint is damaged (files are missing or cut off), and there is no other; get it again, or remove it to start over.")
            : null;
    }

    /// <summary>The folder of the checkpoint after a number of steps.</summary>
    public string CheckpointFolder(long step) => Path.Combine(Checkpoints, string.Create(CultureInfo.InvariantCulture, $"step-{step:D7}"));

    /// <summary>
    /// Removes what is older than the newest whole checkpoints. A damaged one does not count as one of them; one that another run stands on
    /// (<see cref="KeepFor"/>) stays.
    /// </summary>
    public void KeepNewest(int count)
    {
        string[] all = [.. Directory.GetDirectories(Checkpoints, "step-*").OrderByDescending(StepOf)];
        long oldest = all.Where(AtomicFolder.IsComplete).Take(count).Select(StepOf).LastOrDefault(-1);
        string? best = BestCheckpoint(FullPath);
        foreach (string old in all.Where(c => StepOf(c) >= 0 && StepOf(c) < oldest && c != best && !Users(c).Any(Directory.Exists)))
            Directory.Delete(old, recursive: true);
    }

    /// <summary>Writes <c>run.json</c>.</summary>
    public void WriteRun(JsonObject run)
    {
        ArgumentNullException.ThrowIfNull(run);
        AtomicFile.WriteAllText(Path.Combine(FullPath, "run.json"), Indent(run));
    }

    /// <summary>Writes a file of results below the folder as a whole: <c>eval/after.json</c>.</summary>
    public void WriteResult(string name, JsonObject json)
    {
        ArgumentNullException.ThrowIfNull(json);
        AtomicFile.WriteAllText(Path.Combine(FullPath, name), Indent(json));
    }

    /// <summary>
    /// Opens the log to go on after a step: what a killed process logged beyond the checkpoint, or wrote in part, is cut off.
    /// </summary>
    /// <param name="step">Steps made.</param>
    public void OpenLog(long step)
    {
        _log?.Dispose();
        _log = new FileStream(LogPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        _log.SetLength(LengthUpTo(_log, step));
        _log.Seek(0, SeekOrigin.End);
    }

    /// <summary>Adds a line to the log; it reaches the file at once.</summary>
    public void Log(JsonObject line)
    {
        ArgumentNullException.ThrowIfNull(line);
        if (_log is null)
            throw new InvalidOperationException("The log is not open.");
        using (Utf8JsonWriter writer = new(_log, Compact))
            line.WriteTo(writer);
        _log.WriteByte((byte)'\n');
        _log.Flush();
    }

    /// <summary>Gives the folder back.</summary>
    public void Dispose()
    {
        try
        {
            _log?.Dispose();
        }
        catch (IOException)
        {
            // A full disk: the line that does not fit was reported when it was written.
        }
        _lock.Dispose();
    }

    // Only lines with their end count: one that was written in part, or is unreadable, falls away with what follows it.
    private long LengthUpTo(FileStream log, long step)
    {
        List<(long, double)> evaluations = [];
        Evaluations = evaluations;
        ArrayBufferWriter<byte> line = new();
        long read = 0, keep = 0;
        for (int next = log.ReadByte(); next >= 0; next = log.ReadByte())
        {
            read++;
            if (next != '\n')
            {
                line.Write([(byte)next]);
                continue;
            }
            if (StepOf(line.WrittenMemory, out double? loss) is { } at)
            {
                if (at > step)
                    break;
                keep = read;
                if (loss is { } evaluated)
                    evaluations.Add((at, evaluated));
            }
            line.ResetWrittenCount();
        }
        return keep;
    }

    // The loss is that of an evaluation.
    private static long? StepOf(ReadOnlyMemory<byte> line, out double? loss)
    {
        loss = null;
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("step", out JsonElement value) || value.ValueKind != JsonValueKind.Number)
                return null;
            if (root.TryGetProperty("kind", out JsonElement kind) && kind.ValueKind == JsonValueKind.String && kind.ValueEquals("evaluation"u8))
                loss = root.TryGetProperty("loss", out JsonElement given) && given.ValueKind == JsonValueKind.Number ? given.GetDouble() : double.PositiveInfinity;
            return value.TryGetInt64(out long step) ? step : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Indent(JsonObject json)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            json.WriteTo(writer);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private static long StepOf(string folder) =>
        long.TryParse(Path.GetFileName(folder).AsSpan("step-".Length), NumberStyles.None, CultureInfo.InvariantCulture, out long step) ? step : -1;
}
