namespace Gradus.Applications.Sandbox;

/// <summary>The processes of one session, as /proc shows them. A sandboxed program cannot leave its session.</summary>
internal sealed class SessionProcesses(int session)
{
    private static readonly int PageBytes = Environment.SystemPageSize;

    /// <summary>The ids of those that are alive.</summary>
    public List<int> Alive()
    {
        List<int> found = [];
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out int id) && FieldsOf(id) is [not "Z" and not "X", _, _, var of, ..] && of == session.ToString(null, null))
                found.Add(id);
        }
        return found;
    }

    /// <summary>Memory that a process holds, in bytes.</summary>
    public static long MemoryOf(int id) =>
        Read($"/proc/{id}/statm") is { } text && text.Split(' ') is [_, var resident, ..] && long.TryParse(resident, out long pages) ? pages * PageBytes : 0;

    /// <summary>The bytes of files that are removed, but that a process has open.</summary>
    public static long RemovedFilesOf(int id)
    {
        long bytes = 0;
        try
        {
            foreach (string descriptor in Directory.EnumerateFiles($"/proc/{id}/fd"))
            {
                if (File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.FullName.EndsWith(" (deleted)", StringComparison.Ordinal) == true)
                {
                    using FileStream file = File.OpenRead(descriptor);
                    bytes += file.Length;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process has ended, or closed the file.
        }
        return bytes;
    }

    /// <summary>Ends them all, and waits until they are gone.</summary>
    public void Kill()
    {
        const int KillSignal = 9;
        for (int attempt = 0; attempt < 200; attempt++)
        {
            SystemCalls.Call("kill", -session, KillSignal);
            SystemCalls.Call("kill", session, KillSignal);
            if (Alive().Count == 0)
                return;
            Thread.Sleep(5);
        }
    }

    // What stands behind the name: state, parent, group, session. The name may hold anything, also brackets.
    private static string[] FieldsOf(int id)
    {
        string? text = Read($"/proc/{id}/stat");
        return text is null ? [] : text[(text.LastIndexOf(')') + 2)..].Split(' ');
    }

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
