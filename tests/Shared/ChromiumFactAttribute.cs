namespace Gradus.Testing;

/// <summary>A fact that needs Chromium or Chrome on the PATH; skipped with a message where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ChromiumFactAttribute : FactAttribute
{
    public ChromiumFactAttribute()
    {
        if (Executable is null)
            Skip = "needs chromium or google-chrome on the PATH";
    }

    public static string? Executable { get; } =
        (from name in new[] { "chromium", "chromium-browser", "google-chrome", "google-chrome-stable" }
         from folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
         let path = Path.Combine(folder, name)
         where File.Exists(path)
         select path).FirstOrDefault();
}
