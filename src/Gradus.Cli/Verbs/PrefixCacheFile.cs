using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Generation;

namespace Gradus.Cli.Verbs;

/// <summary><c>--prefix-cache FILE</c>: the keys and values of the prompts that an engine has read, kept in a file from one run to the next.</summary>
internal static class PrefixCacheFile
{
    /// <summary>Makes the option.</summary>
    public static Option<string?> Option() => new("--prefix-cache")
    {
        Description = "Keep what was read in this file, and begin with what is there: prompts that begin alike are not read again in another run. The tokens are the same.",
        HelpName = "FILE",
    };

    /// <summary>Begins with the prefixes of the file, where there is one.</summary>
    /// <param name="engine">The engine, before its first request.</param>
    /// <param name="path">The file, or null.</param>
    /// <exception cref="UsageException">The model keeps no prefixes.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or of another model or machine.</exception>
    public static void Load(GenerationEngine engine, string? path)
    {
        if (path is null)
            return;
        try
        {
            if (!File.Exists(path))
            {
                engine.SavePrefixes(Stream.Null).GetAwaiter().GetResult();
                return;
            }
            using FileStream stream = File.OpenRead(path);
            using BufferedStream buffered = new(stream, 1 << 20);
            engine.LoadPrefixes(buffered).GetAwaiter().GetResult();
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new UsageException($"{e.Message} Leave --prefix-cache out.");
        }
    }

    /// <summary>Writes the prefixes that the engine keeps; the file is replaced as a whole.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="path">The file, or null.</param>
    public static void Save(GenerationEngine engine, string? path)
    {
        if (path is not null)
            AtomicFile.Write(path, stream => engine.SavePrefixes(stream).GetAwaiter().GetResult());
    }
}
