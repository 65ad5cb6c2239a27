using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Gradus.Models;

namespace Gradus.Cli.Tests;

/// <summary>The rules between the rooms of DESIGN.md, kept by looking at projects, assemblies and sources.</summary>
public sealed partial class ArchitectureTests
{
    /// <summary>What a room may know. The command line may know all.</summary>
    private static readonly Dictionary<string, string[]> Knows = new()
    {
        ["Gradus.Tensors"] = [],
        ["Gradus.Tensors.Cuda"] = ["Gradus.Tensors"],
        ["Gradus"] = ["Gradus.Tensors"],
        ["Gradus.Evaluation"] = ["Gradus", "Gradus.Tensors"],
        ["Gradus.Training"] = ["Gradus.Evaluation", "Gradus", "Gradus.Tensors"],
        ["Gradus.Applications"] = ["Gradus.Evaluation", "Gradus", "Gradus.Tensors"],
        ["Gradus.Server"] = ["Gradus.Applications", "Gradus.Evaluation", "Gradus", "Gradus.Tensors"],
    };

    private static readonly string Root = FindRoot();

    [Fact]
    public void ProjectsReferOnlyToTheRoomsTheyMayKnow()
    {
        string[] projects = Directory.GetFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories);
        foreach (string room in new[] { "Gradus", "Gradus.Tensors", "Gradus.Evaluation", "Gradus.Training", "Gradus.Server", "Gradus.Cli" })
            Assert.Contains(projects, p => Path.GetFileNameWithoutExtension(p) == room);
        foreach (string project in projects.Where(p => Path.GetFileNameWithoutExtension(p) != "Gradus.Cli"))
        {
            string name = Path.GetFileNameWithoutExtension(project);
            Assert.True(Knows.ContainsKey(name), $"{name} is no room of DESIGN.md");
            foreach (XElement reference in XDocument.Load(project).Descendants("ProjectReference"))
            {
                string other = Path.GetFileNameWithoutExtension(((string)reference.Attribute("Include")!).Replace('\\', '/'));
                Assert.True(Knows[name].Contains(other), $"{name} must not know {other}");
            }
        }
    }

    [Fact]
    public void AssembliesUseOnlyTheRoomsTheyMayKnow()
    {
        Assembly[] rooms = [typeof(Tensors.Tensor).Assembly, typeof(LanguageModel).Assembly, typeof(Evaluation.Metrics.Metric).Assembly, typeof(Training.Trainer).Assembly, typeof(Server.InferenceServer).Assembly];
        foreach (Assembly room in rooms)
        {
            string name = room.GetName().Name!;
            string[] others = [.. room.GetReferencedAssemblies().Select(a => a.Name!).Where(a => a == "Gradus" || a.StartsWith("Gradus.", StringComparison.Ordinal))];
            Assert.True(others.All(Knows[name].Contains), $"{name} uses {string.Join(", ", others.Except(Knows[name]))}");
        }
    }

    [Fact]
    public void MachineInstructionsLiveUnderTheProcessorOnly() =>
        Nowhere(Instructions(), "src", except: "src/Gradus.Tensors/Cpu/");

    [Fact]
    public void TheAssemblerIsReferredToByOneProject()
    {
        foreach (string project in Directory.GetFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories))
            Assert.Equal(Path.GetFileNameWithoutExtension(project) == "Gradus.Tensors", File.ReadAllText(project).Contains("\"Iced\"", StringComparison.Ordinal));
    }

    [Fact]
    public void ConsoleAndArgumentsLiveInTheCommandLineOnly() =>
        Nowhere(TheConsole(), "src", except: "src/Gradus.Cli/");

    [Fact]
    public void EnvironmentVariablesLiveInTheCommandLineButForTwo()
    {
        List<string> read = [];
        foreach ((string file, string code) in Sources("src").Where(s => !s.File.StartsWith("src/Gradus.Cli/", StringComparison.Ordinal)))
        {
            foreach (Match match in Variables().Matches(code))
            {
                Assert.True(file.StartsWith("src/Gradus.Tensors/Cpu/", StringComparison.Ordinal), $"{file} reads environment variables: {match.Value}");
                read.Add(match.Groups["name"].Value);
            }
        }
        Assert.Equal(["GRADUS_ISA", "GRADUS_THREADS"], read.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ArchitecturesKnowNoDeviceOptimizerTokenizerOrFileFormat()
    {
        (string File, string Code)[] architectures = [.. Sources("src/Gradus/Models").Where(s => AnArchitecture().IsMatch(s.Code))];
        Assert.InRange(architectures.Length, 2, int.MaxValue);
        Assert.All(architectures, s => Nowhere(ForeignToModels(), s));
    }

    [Fact]
    public void GenerationSpeaksIds() => Nowhere(TextInGeneration(), "src/Gradus/Generation");

    [Fact]
    public void NothingIsCalledCommonUtilsOrHelpers()
    {
        string[] folders = [.. Directory.GetDirectories(Path.Combine(Root, "src"), "*", SearchOption.AllDirectories)
            .Select(d => Path.GetRelativePath(Root, d).Replace('\\', '/'))
            .Where(d => !IsBuilt(d))];
        Assert.DoesNotContain(folders, d => Vague().IsMatch(Path.GetFileName(d)));
        foreach ((string file, string code) in Sources("src"))
        {
            Assert.False(Vague().IsMatch(Path.GetFileNameWithoutExtension(file)), file);
            foreach (Match type in Types().Matches(code))
                Assert.False(Vague().IsMatch(type.Groups["name"].Value), $"{file}: {type.Value}");
        }
    }

    [Fact]
    public void LinksBetweenDocumentsLeadSomewhere()
    {
        string[] pages = [.. Directory.GetFiles(Root, "*.md"), .. new[] { "docs", "bench" }.SelectMany(f => Directory.GetFiles(Path.Combine(Root, f), "*.md", SearchOption.AllDirectories))];
        string[] dead =
        [
            .. from page in pages
               from Match link in Links().Matches(File.ReadAllText(page))
               let target = Path.Combine(Path.GetDirectoryName(page)!, link.Groups["to"].Value)
               where !Path.Exists(target)
               select $"{Path.GetRelativePath(Root, page)}: {link.Groups["to"].Value}",
        ];
        Assert.Empty(dead);
        Assert.Contains(pages, p => Links().IsMatch(File.ReadAllText(p)));
    }

    [Fact]
    public void TheRulesWouldNotice()
    {
        Assert.Matches(Instructions(), "using System.Runtime.Intrinsics.X86;");
        Assert.Matches(Instructions(), "using static Iced.Intel.AssemblerRegisters;");
        Assert.Matches(TheConsole(), "Console.WriteLine(1);");
        Assert.Matches(TheConsole(), "System.Console.Error");
        Assert.DoesNotMatch(TheConsole(), "using Gradus.Cli.Console;");
        Assert.Equal("HOME", Variables().Match("Environment.GetEnvironmentVariable(\"HOME\")").Groups["name"].Value);
        Assert.Matches(Variables(), "Environment.GetEnvironmentVariables()");
        Assert.Matches(AnArchitecture(), "public sealed class Mamba : DecoderModel");
        foreach (string code in new[] { "new CpuDevice()", "ReferenceDevice.Instance", "AdamW optimizer", "Tokenizer t", "using Gradus.Files;", "SafetensorsFile f" })
            Assert.Matches(ForeignToModels(), code);
        Assert.Matches(Vague(), "StringUtils");
        Assert.Matches(Vague(), "Common");
        Assert.Matches(Vague(), "TensorHelper");
        Assert.DoesNotMatch(Vague(), "LongestCommonSubsequence");
        Assert.Equal("public int A;\n", WithoutComments("public int A; // Console.WriteLine\n"));
    }

    [GeneratedRegex(@"System\.Runtime\.Intrinsics|\bIced\b")]
    private static partial Regex Instructions();

    [GeneratedRegex(@"(?<![\w.])Console\.|System\.Console|Environment\.(GetCommandLineArgs|CommandLine|Exit)\b")]
    private static partial Regex TheConsole();

    [GeneratedRegex("""Environment\.(GetEnvironmentVariables?|ExpandEnvironmentVariables|SetEnvironmentVariable)\((?:"(?<name>\w+)")?""")]
    private static partial Regex Variables();

    [GeneratedRegex(@"class \w+[^{;]*:\s*(DecoderModel|GenerativeModel|EncoderModel|EncoderDecoderModel|LanguageModel)\b(?![^{]*abstract)")]
    private static partial Regex AnArchitecture();

    [GeneratedRegex(@"\b(Cpu|Reference|Cuda)Device\b|\bOptimizer|\bAdam|\bSgd\b|\bTokenizer|\bSafetensors|\bGguf|\bTensorFile\b|\bCheckpoint\b|using Gradus\.(Files|Text|Training|Generation)\b|using System\.IO\b")]
    private static partial Regex ForeignToModels();

    [GeneratedRegex(@"Tokenizer|Gradus\.Text\b|ChatTemplate")]
    private static partial Regex TextInGeneration();

    [GeneratedRegex(@"(^|[a-z.])(Common|Utils?|Utilit(y|ies)|Helpers?)$")]
    private static partial Regex Vague();

    [GeneratedRegex(@"\]\((?<to>(?!\w+:)[^)#\s]+)")]
    private static partial Regex Links();

    [GeneratedRegex(@"\b(class|record|struct|interface|enum)\s+(struct\s+)?(?<name>[A-Z]\w*)")]
    private static partial Regex Types();

    private static void Nowhere(Regex rule, string folder, string? except = null)
    {
        (string File, string Code)[] sources = [.. Sources(folder)];
        Assert.NotEmpty(sources);
        if (except is not null)
            Assert.True(sources.Any(s => s.File.StartsWith(except, StringComparison.Ordinal) && rule.IsMatch(s.Code)), $"nothing under {except} needs the exception");
        foreach ((string File, string Code) source in sources.Where(s => except is null || !s.File.StartsWith(except, StringComparison.Ordinal)))
            Nowhere(rule, source);
    }

    private static void Nowhere(Regex rule, (string File, string Code) source)
    {
        Match found = rule.Match(source.Code);
        Assert.False(found.Success, $"{source.File}: line {source.Code[..found.Index].Count(c => c == '\n') + 1}: {found.Value}");
    }

    /// <summary>The sources below a folder, by their paths from the root, without comments.</summary>
    private static IEnumerable<(string File, string Code)> Sources(string folder) =>
        Directory.GetFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            .Select(f => (File: Path.GetRelativePath(Root, f).Replace('\\', '/'), f))
            .Where(s => !IsBuilt(s.File))
            .Select(s => (s.File, WithoutComments(File.ReadAllText(s.f))));

    private static string WithoutComments(string code) => Comments().Replace(code, "");

    [GeneratedRegex(@"[ \t]*//[^\n]*")]
    private static partial Regex Comments();

    private static bool IsBuilt(string path) => path.Split('/').Any(p => p is "bin" or "obj");

    private static string FindRoot([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(here, "..", "..", ".."));
}
