// Reads log.jsonl. A log is appended to, so it may end in half a line (kill -9), hold such half lines in its middle (killed,
// then resumed), and go back to an earlier step (resumed from a checkpoint): the later line of a step holds.
using System.Text;
using System.Text.Json;

namespace Gradus.Cli.Reports;

/// <summary>The training and validation values of a run, each by ascending step without repeats.</summary>
/// <param name="Steps">Lines of kind "step".</param>
/// <param name="Evaluations">Lines of kind "evaluation".</param>
/// <param name="UnreadableLines">Lines that are not JSON of the expected form, the cut-off last one not counted.</param>
/// <param name="FirstUnreadable">Number of the first such line, from 1; 0 where there is none.</param>
/// <param name="LastLineCutOff">The file ends inside a line.</param>
/// <param name="Resumes">How often the step goes back.</param>
internal sealed record LogContents(
    IReadOnlyList<LogLine> Steps,
    IReadOnlyList<LogLine> Evaluations,
    int UnreadableLines,
    int FirstUnreadable,
    bool LastLineCutOff,
    int Resumes)
{
    /// <summary>What the run's own watch said, in order.</summary>
    public IReadOnlyList<string> Alarms { get; init; } = [];

    /// <summary>Reads the file, or returns null where it is absent.</summary>
    /// <exception cref="IOException">The file exists but cannot be read.</exception>
    public static LogContents? Read(string path)
    {
        if (!File.Exists(path))
            return null;
        using FileStream stream = TolerantJson.OpenShared(path);
        using StreamReader reader = new(stream, Encoding.UTF8);
        return Read(reader);
    }

    /// <summary>Reads all lines of <paramref name="reader"/>.</summary>
    public static LogContents Read(TextReader reader)
    {
        SortedDictionary<long, LogLine> steps = [], evaluations = [];
        List<string> alarms = [];
        int number = 0, unreadable = 0, first = 0, resumes = 0;
        bool lastUnreadable = false;
        long previous = long.MinValue;
        while (reader.ReadLine() is { } text)
        {
            number++;
            if (string.IsNullOrWhiteSpace(text))
                continue;
            lastUnreadable = !TryParse(text, out LogLine? line);
            if (lastUnreadable)
            {
                unreadable++;
                first = first == 0 ? number : first;
            }
            else if (line is { Kind: "step", Step: long step })
            {
                resumes += step <= previous ? 1 : 0;
                previous = step;
                steps[step] = line;
            }
            else if (line is { Kind: "alarm", Text: { } said })
            {
                alarms.Add(said);
            }
            else if (line is { Kind: "evaluation", Step: long evaluated })
            {
                evaluations[evaluated] = line;
            }
        }
        if (lastUnreadable)
        {
            unreadable--;
            first = unreadable == 0 ? 0 : first;
        }
        return new LogContents([.. steps.Values], [.. evaluations.Values], unreadable, first, lastUnreadable, resumes) { Alarms = alarms };
    }

    private static bool TryParse(string text, out LogLine? line)
    {
        try
        {
            line = TolerantJson.Parse(text, RunFilesJson.Default.LogLine);
            return true;
        }
        catch (JsonException)
        {
            line = null;
            return false;
        }
    }
}
