using System.Text;

namespace Gradus.Cli.Console;

/// <summary>Texts that are part of the program.</summary>
internal static class EmbeddedText
{
    /// <summary>A text, with the line ends of Unix.</summary>
    /// <param name="name">Its logical name in the project's file: <c>data/registry.json</c>, <c>Gradus.Cli.Docs.docs.css</c>.</param>
    /// <exception cref="InvalidOperationException">This build lacks it.</exception>
    public static string Read(string name)
    {
        using Stream stream = typeof(EmbeddedText).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"The text {name} is missing from this build.");
        using StreamReader reader = new(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
