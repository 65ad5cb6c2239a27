using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Gradus.Server.Tests.Npm;

/// <summary>A fact that needs node and the packages of this folder; skipped with a message where they are not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NpmFactAttribute : FactAttribute
{
    public NpmFactAttribute()
    {
        if (!Directory.Exists(Path.Combine(Folder, "node_modules", "openai")))
            Skip = $"needs npm's packages; run: npm install --prefix {Folder}";
    }

    public static string Folder { get; } = FindFolder();

    private static string FindFolder([CallerFilePath] string here = "") => Path.GetDirectoryName(here)!;
}

/// <summary>The clients of npm, unmodified: openai, ai, LangChain, ollama and Anthropic's.</summary>
public sealed class NpmClientTests(ChatServer server) : IClassFixture<ChatServer>
{
    [NpmFact]
    public async Task TheClientsOfNpmChatStreamCallAndFail()
    {
        using Process node = Process.Start(new ProcessStartInfo("node", [Path.Combine(NpmFactAttribute.Folder, "clients.mjs"), server.Running.Server.Address.ToString().TrimEnd('/'), "org/tiny"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> output = node.StandardOutput.ReadToEndAsync(), error = node.StandardError.ReadToEndAsync();
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        await node.WaitForExitAsync(patience.Token);
        Assert.True(node.ExitCode == 0, await error);
        Assert.Equal(["openai: ok", "ai: ok", "langchain: ok", "ollama: ok", "anthropic: ok"], (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
